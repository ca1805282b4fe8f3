"""A key that its provider refuses is read again, once; only another one is worth another try."""

from collections.abc import Iterator

import pytest

from relay.adapters.providers.gepetto import Gepetto
from relay.adapters.providers.key import AccountKey
from relay.adapters.providers.spacely import Spacely
from relay.adapters.transport import Transport
from relay.domain.catalogue import CATALOGUE
from relay.errors import AccountRefused, NoAnswer, NotAccepted
from tests.factories import a_job, processing_job
from tests.payloads.replay import Stub, stub_provider


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with stub_provider() as running:
        yield running


def a_provider(name: str, url: str, keys: list[str]) -> Gepetto | Spacely:
    """Return a provider whose key is the first of these, then the next, the last for ever."""

    def read_key() -> str:
        return keys.pop(0) if len(keys) > 1 else keys[0]

    limit = CATALOGUE[name].limit
    if name == "spacely":
        return Spacely(transport=Transport(), base_url=url, read_key=read_key, limit=limit)
    return Gepetto(
        transport=Transport(),
        base_url=url,
        read_key=read_key,
        limit=limit,
        webhook_url=lambda job: f"https://relay.example/{job.id}",
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_with_another_key_the_job_is_surely_not_taken_and_sent_again(name, stub):
    provider = a_provider(name, stub.url, ["old", "new"])
    job = a_job(provider=name, operation="raw", path="/generate", input={})
    stub.says(401, {})

    with pytest.raises(NotAccepted):
        provider.submit(job)
    with pytest.raises(AccountRefused):
        provider.submit(job)

    used = [seen.headers.get("X-API-KEY") or seen.headers["Authorization"] for seen in stub.seen]
    assert [key.removeprefix("Bearer ") for key in used] == ["old", "new"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_poll_with_a_key_that_is_another_one_now_was_in_vain(name, stub):
    provider = a_provider(name, stub.url, ["old", "new"])
    stub.says(401, {})

    with pytest.raises(NoAnswer):
        provider.poll(processing_job(provider=name))
    with pytest.raises(AccountRefused):
        provider.poll(processing_job(provider=name))


@pytest.mark.parametrize("status", [402, 403])
def test_no_other_refusal_has_to_do_with_the_key(status, stub):
    provider = a_provider("spacely", stub.url, ["old", "new"])
    stub.says(status, {})

    with pytest.raises(AccountRefused):
        provider.poll(processing_job(provider="spacely"))


@pytest.mark.parametrize("now", ["same", "", "with a space", "käse"])
def test_a_key_that_is_the_same_or_unusable_is_no_new_one(now):
    keys = iter(["same", now])
    key = AccountKey(lambda: next(keys), provider="gepetto")

    assert key.is_new_when_read_again() is False
    assert key.value == "same"
