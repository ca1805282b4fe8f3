"""Release a hold: have its next probe made now.

A probe, not an end: as long as nobody has asked, nobody knows whether the provider serves the
account again, and hundreds of refused calls are what a hold is there to prevent.
"""

from dataclasses import replace
from datetime import datetime

from infra.operate.errors import StillPumping
from infra.operate.outcome import Outcome, moment_json, when_text
from relay.application.ports import Accounts, Clock, StoredAccount, Topics
from relay.domain.account import Account
from relay.domain.admission import FIRST_GAP_S, Hold
from relay.errors import LostRace, PublishFailed

# A pump writes the account every 1.2 s.
TRIES = 20
PAUSE_S = 0.05


def release_hold(
    accounts: Accounts,
    topics: Topics,
    clock: Clock,
    account: str,
    *,
    holder: str,
    dry_run: bool,
) -> Outcome:
    """Have the next probe of an account that is on hold made now.

    A pump keeps the hold in memory and would write it back, so its lease is taken away, as after a
    crash. It ends when it would have ended without another renewal, and the next pump counts all
    calls that the old one may still have made.

    Args:
        holder: Stands for us in the lease; unique.

    Raises:
        StillPumping: A pump was always faster; nothing has changed.
        StoreUnavailable: Likewise, or the probe is due now.
    """
    for _ in range(TRIES):
        stored, now = accounts.read(account), clock.now()
        hold = stored.account.hold
        if hold is None:
            return _outcome(account, None, f"{account} is not on hold.", is_released=False)
        if stored.account.holder == holder:
            # The reply to our own write was lost.
            break
        if dry_run:
            text = f"Would have {account} probed now instead of {when_text(hold.probe_at, now=now)}"
            return _outcome(account, hold, f"{text}: {_why(hold, now)}.", is_released=False)
        try:
            accounts.replace(with_probe_now(stored, holder=holder, at=now), version=stored.version)
        except LostRace:
            clock.sleep(PAUSE_S)
            continue
        break
    else:
        raise StillPumping(
            f"{account}: a pump wrote the account {TRIES} times meanwhile; try again"
        )
    if stored.account.holder is not None:
        clock.sleep(max(0.0, stored.account.lease_s - stored.age_s))
    line = f"{account} is probed now. It was {_why(hold, now)}."
    try:
        topics.publish_tick(account)
    except PublishFailed:
        line = f"{line} No tick could be published, so the scheduler's next one does it."
    return _outcome(account, hold, line, is_released=True)


def with_probe_now(stored: StoredAccount, *, holder: str, at: datetime) -> Account:
    """Return the account with its probe due now, and without a pump that knows otherwise.

    Everything in it that is relative to its last write is counted from now on.
    """
    account = stored.account
    assert account.hold is not None  # noqa: S101 - the caller has looked
    return replace(
        account,
        holder=None if account.holder is None else holder,
        lease_s=account.lease_s - stored.age_s,
        calls_ago_s=tuple(ago_s + stored.age_s for ago_s in account.calls_ago_s),
        hold=replace(account.hold, probe_at=at, gap_s=FIRST_GAP_S),
        written_at=at,
    )


def _why(hold: Hold, now: datetime) -> str:
    began = when_text(hold.since, now=now)
    return f"on hold since {began} ({hold.code}, HTTP {hold.status})"


def _outcome(account: str, hold: Hold | None, line: str, *, is_released: bool) -> Outcome:
    was = None
    if hold is not None:
        was = {
            "code": hold.code.value,
            "status": hold.status,
            "since": moment_json(hold.since),
            "probeAt": moment_json(hold.probe_at),
        }
    data = {"account": account, "hold": was, "released": is_released}
    return Outcome(lines=[line], data=data)
