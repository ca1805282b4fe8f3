"""Runs a Python command while every core is busy: `python -m tests.busy -m pytest tests/system`."""

import os
import subprocess
import sys

BUSY_LOOP = "while True: pass"


def main() -> int:
    """Run the command; return its exit code."""
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        return subprocess.run([sys.executable, *sys.argv[1:]], check=False).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
