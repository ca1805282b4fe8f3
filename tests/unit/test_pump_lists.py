"""Whole runs of the pump: fetching the providers' lists that somebody asked for."""

import logging
from datetime import timedelta

import pytest

from relay.application.provider_lists import ListFetcher
from relay.domain.account import Account
from relay.domain.admission import Stop
from relay.domain.limits import Limit
from relay.domain.provider_list import ListRequest, ProviderList
from relay.errors import NoAnswer
from tests.factories import NOON, a_job, job_id, later
from tests.fakes import ConcurrentWorkers, ScriptedProvider

ROOMS = ProviderList(content_type="application/json", body=b'[{"id": "living_room"}]')
HOUR_S, DAY_S = 3600.0, 86400.0


@pytest.fixture
def ask(world):
    """Note that somebody asked for these lists now."""

    def ask(*names):
        requests, version = world.lists.requests("gepetto")
        new = {name: ListRequest(asked_at=world.clock.now()) for name in names}
        world.lists.replace_requests("gepetto", {**requests, **new}, version=version)
        world.lists.calls.clear()

    return ask


def request_of(world, name="rooms"):
    return world.lists.requests("gepetto")[0][name]


@pytest.mark.parametrize("window_s", [55.0, 0.0], ids=["a window", "one pass"])
def test_a_list_that_was_asked_for_is_fetched_and_kept(world, ask, window_s):
    ask("rooms")
    world.provider.on_list(ROOMS)

    world.pump(window_s=window_s).run()

    assert world.provider.called("list") == ["rooms"]
    assert world.lists.copy("gepetto", "rooms") == ROOMS
    assert request_of(world).fetched_at == NOON


def test_nobody_asked_so_nothing_is_called_and_one_document_is_read(world):
    world.pump().run()

    assert world.provider.calls == []
    assert world.lists.calls == ["requests"]


def test_a_provider_without_lists_costs_no_read(world):
    world.provider = ScriptedProvider(world.clock, name="spacely")

    world.pump().run()

    assert world.lists.calls == []


def test_one_list_is_fetched_a_run_each_once_a_day(world, ask):
    ask("skies", "rooms")

    for _ in range(4):
        world.pump().run()
        world.clock.advance(60)
    world.clock.advance(DAY_S - 300)
    world.pump().run()
    world.clock.advance(300)
    for _ in range(4):
        world.pump().run()

    assert world.provider.called("list") == ["rooms", "skies"] * 2


def test_a_list_that_nobody_asked_for_within_a_week_is_not_fetched(world, ask):
    ask("rooms")
    world.clock.advance(7 * DAY_S)

    world.pump().run()

    assert world.provider.calls == []


def test_a_list_that_the_provider_no_longer_has_is_not_fetched(world, ask):
    ask("furnitures")

    world.pump().run()

    assert world.provider.calls == []


def test_a_fetch_that_failed_is_repeated_after_an_hour_and_the_copy_stays(world, ask, caplog):
    caplog.set_level(logging.WARNING)
    world.lists.keep("gepetto", "rooms", ROOMS)
    ask("rooms")
    world.provider.on_list(NoAnswer("HTTP 404"))

    world.pump().run()
    world.clock.advance(HOUR_S - 60)
    world.pump().run()

    assert world.provider.called("list") == ["rooms"]
    assert request_of(world).failure == "HTTP 404"
    assert world.lists.copy("gepetto", "rooms") == ROOMS
    (line,) = [one for one in caplog.records if one.message == "list not fetched"]
    assert line.fields == {"account": "gepetto", "list": "rooms", "why": "HTTP 404"}

    world.clock.advance(60)
    world.pump().run()
    assert world.provider.called("list") == ["rooms", "rooms"]
    assert request_of(world).failure is None


def test_a_fetch_that_breaks_is_logged_and_stops_nobody(world, ask, caplog):
    ask("rooms")
    world.jobs.put(a_job())
    world.provider.on_list(ZeroDivisionError("a bug"))

    world.pump(window_s=5).run()

    assert "left for later" in caplog.messages
    assert world.provider.called("submit") == [a_job().id]


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_a_refused_list_does_not_stop_calls_for_jobs(world, ask, status):
    ask("rooms")
    world.jobs.put(a_job())
    world.provider.on_list(NoAnswer(f"HTTP {status}", 60.0))

    world.pump(window_s=5).run()

    account = world.accounts.account()
    assert (account.hold, account.pause) == (None, None)
    assert world.provider.called("submit") == [a_job().id]


def test_a_list_waits_while_the_provider_stops_calls(world, ask):
    ask("rooms")
    pause = Stop(since=NOON, probe_at=later(300), gap_s=60.0)
    world.accounts.put(Account(name="gepetto", pause=pause))

    world.pump().run()

    assert world.provider.calls == []
    assert request_of(world).tried_at is None


def test_a_list_counts_against_the_limit_as_jobs_do(world, ask):
    ask("rooms")
    world.provider.limit = Limit(calls=2, window_s=20.0)
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(3)))

    world.pump().run()

    first, second = world.provider.calls[:2]
    assert (first.kind, second.kind) == ("list", "submit")
    assert second.at - first.at >= timedelta(seconds=20)


def test_a_list_waits_for_its_place_in_the_limit_although_nothing_else_is_to_be_done(world, ask):
    ask("rooms")
    world.provider.limit = Limit(calls=1, window_s=20.0)
    world.accounts.put(Account(name="gepetto", calls_ago_s=(0.0,)))

    world.pump().run()

    (call,) = world.provider.calls
    assert call.at == NOON + timedelta(seconds=20)
    assert world.accounts.account().calls_ago_s != ()


def test_a_list_that_hangs_holds_up_no_job(world, ask):
    ask("rooms")
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(3)))

    def hang(_):
        world.clock.advance(15.0)
        raise NoAnswer("no whole answer came")

    world.provider.on_list(hang)
    world.pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    sent = [call.at for call in world.provider.calls if call.kind == "submit"]
    assert len(sent) == 3
    assert max(sent) < NOON + timedelta(seconds=5)


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_store_that_does_not_note_the_attempt_costs_no_call_and_no_place(world, ask, lost):
    ask("rooms")
    world.jobs.put(a_job())
    lists = world.lists
    lists.before_next_write(lists.lose_requests if lost == "request" else lists.lose_replies)

    world.pump(window_s=5).run()

    assert world.provider.called("list") == []
    assert world.provider.called("submit") == [a_job().id]
    assert len(world.accounts.account().calls_ago_s) == 1


def test_a_store_that_is_down_for_lists_alone_holds_up_no_job(world):
    world.lists.is_down = True
    world.jobs.put(a_job())

    world.pump(window_s=5).run()

    assert world.provider.called("submit") == [a_job().id]


def test_a_crash_during_the_call_does_not_repeat_it_at_once(world, ask):
    ask("rooms")

    def crash(_):
        raise MemoryError

    world.provider.on_list(crash)
    world.pump().run()
    world.pump().run()

    assert world.provider.called("list") == ["rooms"]
    assert len(world.accounts.account().calls_ago_s) == 1


@pytest.fixture
def fetcher(world):
    """Make what fetches lists for a run whose lease allows calls, or not."""

    def fetcher(*, may_call=True):
        return ListFetcher(
            world.lists, provider=world.provider, may_call=lambda: may_call, clock=world.clock
        )

    return fetcher


def test_a_pump_without_its_lease_makes_no_call(world, ask, fetcher):
    ask("rooms")

    assert fetcher(may_call=False).fetch("rooms") is None

    assert world.provider.calls == []


def test_a_list_that_another_pump_has_just_fetched_is_not_fetched_again(world, ask, fetcher):
    ask("rooms")
    mine, other = fetcher(), fetcher()
    assert mine.next_due() == "rooms"
    other.fetch("rooms")
    world.clock.advance(1)

    assert mine.fetch("rooms") is None

    assert world.provider.called("list") == ["rooms"]


def test_a_call_whose_copy_could_not_be_kept_counts_all_the_same(world, ask, fetcher):
    ask("rooms")
    world.provider.on_list(lambda _: world.lists.lose_requests())

    assert fetcher().fetch("rooms") == world.clock.monotonic()

    assert request_of(world).fetched_at is None
