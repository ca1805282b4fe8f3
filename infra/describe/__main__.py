"""The command line: `python -m infra.describe` writes the descriptions, `--check` compares."""

import argparse
import sys

from infra.describe.files import described_files, stale_files


def main() -> int:
    """Write the files, or say which are stale: the exit status is 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m infra.describe", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if any is stale")
    if parser.parse_args().check:
        stale = stale_files()
        for path in stale:
            print(f"{path} is stale: make describe")
        return 1 if stale else 0
    for path, text in described_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"{path}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
