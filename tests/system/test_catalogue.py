"""Every operation of the catalogue on the running stack, from the call to the pictures."""

from collections.abc import Mapping

import pytest

from relay.domain.catalogue import CATALOGUE
from tests.payloads.inputs import IMAGE, PRODUCT, SAMPLES, Sample
from tests.system.conftest import Relay, as_announced, call

pytestmark = pytest.mark.thorough

RENDER = "render-s=1"
PICTURES = {"gepetto": 1, "spacely": 4}

Created = Mapping[str, str]


def local_input(relay: Relay, number: int, sample: Sample) -> dict[str, object]:
    """Return the sample's input with pictures and a behaviour of the sandbox's own."""
    pictures = {IMAGE: relay.room(RENDER, number=1000 + number), PRODUCT: relay.room()}
    given = {
        name: pictures.get(value, value) if isinstance(value, str) else value
        for name, value in sample.input.items()
    }
    if "imageUrl" not in given and "prompt" in given:
        given["prompt"] = f"{given['prompt']} sandbox:{RENDER}"
    return given


@pytest.fixture(scope="module")
def created(relay: Relay) -> Created:
    """All of them at once; each test waits for its own."""
    return {
        str(sample): relay._create(
            sample.provider,
            sample.operation,
            local_input(relay, number, sample),
            {} if sample.path is None else {"path": sample.path},
        )
        for number, sample in enumerate(SAMPLES)
    }


def test_no_operation_is_left_out() -> None:
    tried = [(sample.provider, sample.operation) for sample in SAMPLES]

    assert tried == [
        (facts.name, name) for facts in CATALOGUE.values() for name in facts.operations
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_an_operation_of_the_catalogue_ends_with_pictures(
    relay: Relay, created: Created, sample: Sample
) -> None:
    job = relay.final(created[str(sample)])

    (event,) = relay.events(job["id"], count=1)
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert len(job["outputs"]) == PICTURES[sample.provider]
    assert (job["credits"], job.get("path")) == (sample.credits, sample.path)
    assert event.job == as_announced(job)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_provider_got_the_input_as_it_was(
    relay: Relay, created: Created, sample: Sample
) -> None:
    job = relay.final(created[str(sample)])

    seen = call("GET", f"{relay.sandbox_url}/sandbox/jobs").json()["jobs"]
    (render,) = (one for one in seen if one["providerJobId"] == job["providerJobId"])
    path = sample.path or f"/{sample.operation}"
    assert (render["provider"], render["operation"]) == (sample.provider, path.rpartition("/")[2])
    assert render["input"] == job["input"]
