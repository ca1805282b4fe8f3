"""The command line: `python -m infra.operate` looks after a deployment, or the local stack.

Without --project it works on the stack that `make up` started.
"""

import argparse
import json
import os
import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError

from infra.local.plan import ROOT
from infra.operate.account_report import outcome_of, read_report
from infra.operate.dead_letters import redrive
from infra.operate.deployment import Deployment, local_deployment, real_deployment
from infra.operate.errors import OperateError
from infra.operate.holds import release_hold
from infra.operate.outcome import Outcome
from infra.operate.tenant_jobs import cancel_jobs, list_jobs, redeliver_callbacks
from relay.application.ports import JobFilter
from relay.domain.callback import CALLBACKS
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import OPEN, Status
from relay.errors import RelayError

ACCOUNTS = tuple(CATALOGUE)
PUMPS = (*ACCOUNTS, CALLBACKS)
_AGE = re.compile(r"(\d{1,6})(min|h|d)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}


def main() -> int:
    """Run one command; 0 if all of it was done, 1 if not, 2 if it was not understood."""
    arguments = _arguments(sys.argv[1:])
    try:
        if arguments.project is None:
            deployment = local_deployment(arguments.stack_file, os.environ)
        else:
            deployment = real_deployment(arguments.project, os.environ)
        _say_where(deployment, arguments)
        outcome = _run(deployment, arguments)
    except (OperateError, RelayError, GoogleAPICallError) as error:
        print(f"Not done: {_why(error)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"dryRun": arguments.dry_run, **outcome.data}, indent=2))
    else:
        print("\n".join(outcome.lines))
    return 0 if outcome.is_complete else 1


def _why(error: OperateError | RelayError | GoogleAPICallError) -> str:
    if isinstance(error, OperateError):
        return str(error)
    kind = type(error).__name__
    # What a vendor says may be long, and hold what should not be on a screen.
    return kind if isinstance(error, GoogleAPICallError) else f"{kind}: {error}"


def _say_where(deployment: Deployment, arguments: argparse.Namespace) -> None:
    dry = ", dry run: nothing is changed" if arguments.dry_run else ""
    print(f"On {deployment.name}{dry}", file=sys.stderr)


def _run(deployment: Deployment, given: argparse.Namespace) -> Outcome:
    adapters = deployment.adapters
    now = adapters.clock.now()
    match given.command:
        case "jobs":
            wanted = JobFilter(
                statuses=given.status, provider=given.provider, created_after=given.since
            )
            return list_jobs(deployment, given.tenant, wanted, most=given.limit, now=now)
        case "cancel":
            return cancel_jobs(deployment, given.tenant, given.status, dry_run=given.dry_run)
        case "redeliver":
            return redeliver_callbacks(
                deployment,
                given.tenant,
                since=given.since,
                delivered_too=given.delivered_too,
                dry_run=given.dry_run,
            )
        case "release-hold":
            return release_hold(
                adapters.accounts,
                adapters.topics,
                adapters.clock,
                given.account,
                holder=f"operator-{secrets.token_hex(8)}",
                dry_run=given.dry_run,
            )
        case "redrive":
            return redrive(
                deployment.dead_letters, adapters.topics, given.account, dry_run=given.dry_run
            )
        case _:
            stored = adapters.accounts.read(given.account)
            report = read_report(stored, adapters.jobs, deployment.counts, now=now)
            return outcome_of(report, now=now)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.operate", description=__doc__)
    everywhere = _common_arguments()
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, what: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=what, description=what, parents=[everywhere])

    jobs = command("jobs", "list a tenant's latest jobs")
    jobs.add_argument("tenant")
    _add_statuses(jobs, tuple(Status), required=False)
    jobs.add_argument("--provider", choices=ACCOUNTS)
    jobs.add_argument("--since", type=_moment, metavar="MOMENT", help=f"created since; {_MOMENT}")
    jobs.add_argument("--limit", type=_count, default=50, metavar="N", help="default: 50")

    cancel = command(
        "cancel", "cancel a tenant's jobs; the provider goes on with what it has begun"
    )
    cancel.add_argument("tenant")
    _add_statuses(cancel, OPEN, required=True)

    redeliver = command("redeliver", "have a tenant's callbacks delivered again")
    redeliver.add_argument("tenant")
    redeliver.add_argument(
        "--since",
        type=_moment,
        required=True,
        metavar="MOMENT",
        help=f"of jobs that ended since; {_MOMENT}",
    )
    redeliver.add_argument(
        "--delivered-too",
        action="store_true",
        help="also those that the receiver has acknowledged, for one that lost them",
    )

    account = command("account", "tell what an account's pump does, and what waits for it")
    account.add_argument("account", choices=PUMPS)
    hold = command("release-hold", "have an account that is on hold probed now")
    hold.add_argument("account", choices=ACCOUNTS)
    dead = command("redrive", "replace an account's dead ticks by a fresh one")
    dead.add_argument("account", choices=PUMPS)

    given = parser.parse_args(words)
    given.status = _statuses(getattr(given, "status", None) or ())
    return given


def _common_arguments() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    where = common.add_mutually_exclusive_group()
    where.add_argument(
        "--project",
        help="a Google Cloud project, with Application Default Credentials. FIRESTORE_DATABASE, "
        "TICKS_TOPIC and the like count, as for the functions",
    )
    where.add_argument(
        "--stack-file",
        type=Path,
        default=ROOT / ".local" / "stack.json",
        metavar="PATH",
        help="what a local stack wrote (default: .local/stack.json of this checkout)",
    )
    common.add_argument("--dry-run", action="store_true", help="only say what would be done")
    common.add_argument("--json", action="store_true", help="print JSON, for a program")
    return common


def _add_statuses(
    parser: argparse.ArgumentParser, statuses: Sequence[Status], *, required: bool
) -> None:
    parser.add_argument(
        "--status",
        action="append",
        required=required,
        choices=[*(status.value for status in statuses), "open"],
        help="may be repeated; open stands for all that have not ended",
    )


def _statuses(words: Sequence[str]) -> tuple[Status, ...]:
    return tuple(
        status for status in Status if status in words or ("open" in words and status in OPEN)
    )


_MOMENT = "such as 2026-11-22T08:00:00Z, or 90min, 2h or 3d ago"


def _moment(text: str) -> datetime:
    """Read a moment with its zone, or an age."""
    age = _AGE.fullmatch(text)
    if age is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment {_MOMENT}")
    return moment.astimezone(UTC)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
