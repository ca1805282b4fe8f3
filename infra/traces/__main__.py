"""The command line: `python -m infra.traces show JOB_ID` prints the trace of a job on this machine.

The stack collects traces with `make up ARGS=--traces`; `collect` is what it runs for that.
"""

import argparse
import sys
from pathlib import Path

from infra.local.plan import ROOT
from infra.local.processes import HOST
from infra.local.stack import traces_file
from infra.traces.collector import collector
from infra.traces.spans import of_job, read
from infra.traces.tree import lines

_STACKS_FILE = traces_file(ROOT / ".local" / "stack.json")


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.traces", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    show = commands.add_parser("show", help="print a job's trace as a tree")
    show.add_argument("job_id", metavar="JOB_ID")
    show.add_argument("--file", type=Path, default=_STACKS_FILE, help="what was collected")
    collect = commands.add_parser("collect", help="write the spans that are posted to a file")
    collect.add_argument("--port", type=int, required=True)
    collect.add_argument("--file", type=Path, required=True)
    given = parser.parse_args()
    if given.command == "collect":
        collector(host=HOST, port=given.port, file=given.file).serve_forever()
        return 0
    found = of_job(read(given.file), given.job_id)
    if not found:
        print(f"no trace of {given.job_id} in {given.file}", file=sys.stderr)
        return 1
    print("\n".join(lines(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
