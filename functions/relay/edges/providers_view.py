"""``GET /v1/providers`` as JSON: the catalogue, and how each account stands."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from relay.application.overview import AccountState
from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.description import ProviderDescription, describe_provider


class HoldView(msgspec.Struct, rename="camel"):
    """Why a provider is not called now, and when that is tried again."""

    code: str
    http_status: int
    since: datetime
    next_probe_at: datetime


class LimitView(msgspec.Struct, rename="camel"):
    """The call limit that this deployment works by."""

    calls: int
    window_seconds: float


class AccountView(msgspec.Struct, rename="camel"):
    """How the account with a provider stands; jobs are the caller's own."""

    limit: LimitView
    hold: HoldView | None
    queued_jobs: int
    open_jobs: int


class ProviderView(msgspec.Struct, rename="camel"):
    """One provider; `account` is null where it is not switched on."""

    name: str
    catalogue: ProviderDescription
    account: AccountView | None


class ProvidersView(msgspec.Struct):
    """All providers."""

    providers: list[ProviderView]


def to_json(states: Sequence[AccountState]) -> bytes:
    """Return the answer's body."""
    accounts = {state.name: _account(state) for state in states}
    return msgspec.json.encode(
        ProvidersView(
            [
                ProviderView(name, describe_provider(facts), accounts.get(name))
                for name, facts in CATALOGUE.items()
            ]
        )
    )


def _account(state: AccountState) -> AccountView:
    hold = state.hold
    return AccountView(
        limit=LimitView(state.limit.calls, state.limit.window_s),
        hold=HoldView(hold.code, hold.status, hold.since, hold.probe_at) if hold else None,
        queued_jobs=state.queued_jobs,
        open_jobs=state.open_jobs,
    )
