"""Where the providers' documentation contradicts itself: each row of the reference once.

Nothing to test: gepetto.md 9 row 12 (samples in another language that do not run) and
spacely.md 8 row 6 (pasted lines of prose). Both are about reading pages, not about calls.
"""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.adapters.providers.gepetto import Gepetto, read_callback
from relay.adapters.providers.spacely import Spacely
from relay.adapters.transport import Answer
from relay.domain.answers import Accepted, Rendered, StillOpen, UnknownJob
from relay.domain.catalogue import CATALOGUE, find_operation
from relay.domain.catalogue.gepetto import GEPETTO
from relay.domain.catalogue.spacely import SPACELY
from relay.edges.bodies import read_create_body
from relay.edges.problems import HttpProblem
from relay.errors import InvalidRequest, PerhapsAccepted
from tests.factories import OUTPUT, PROVIDER_JOB_ID, a_job, processing_job
from tests.payloads.inputs import IMAGE, SAMPLES, sample_input
from tests.payloads.replay import recordings

WEBHOOK = "https://hooks.example.com/gepetto/job_1/token"
REDESIGN = {"url": IMAGE, "styleId": "modern", "roomId": "kitchen", "creativity": 1}
STAGING = {"url": IMAGE, "styleId": "modern", "roomId": "kitchen"}
FURNISH = {"url": IMAGE, "styleId": "modern"}
FLOOR = {"url": IMAGE, "transformation": "floor", "value": "hardwood"}
STANDARD = sample_input("spacely", "standard")
ADVANCE = sample_input("spacely", "advance")
STYLE = sample_input("spacely", "style-transfer")
FURNITURE = sample_input("spacely", "furniture-placement")
BOX_OUTSIDE = {"x": -1, "y": 0, "w": 10, "h": 10}
LINE_OUTSIDE = [{"x": -1.5, "y": -0.25}] * 3

TAKEN = {
    "gepetto.md 9 row 7: kitchen in smart staging v2": ("gepetto", "smart-staging-v2", STAGING),
    "gepetto.md 9 row 8: roomId alone": ("gepetto", "furnish", FURNISH | {"roomId": "r"}),
    "gepetto.md 9 row 8: furnitureId alone": ("gepetto", "furnish", FURNISH | {"furnitureId": "f"}),
    "gepetto.md 9 row 9: preserveWalls": (
        "gepetto",
        "redesign",
        REDESIGN | {"preserveWalls": True},
    ),
    "gepetto.md 9 row 10: a mask, whatever it means": (
        "gepetto",
        "redesign",
        REDESIGN | {"mask": IMAGE},
    ),
    "gepetto.md 9 row 15: any furnitureId, as there is no list": (
        "gepetto",
        "furnish",
        FURNISH | {"furnitureId": "not in any list"},
    ),
    "spacely.md 8 row 7: two-point takes a negative coordinate": (
        "spacely",
        "two-point-perspective",
        sample_input("spacely", "two-point-perspective", topCornerLine=LINE_OUTSIDE),
    ),
    "spacely.md 8 row 8: both spellings of porcelain": (
        "spacely",
        "standard",
        STANDARD | {"materialsIds": ["porcelain_tile", "porceline_tile"]},
    ),
    "spacely.md 8 row 10: exterior for standard": (
        "spacely",
        "standard",
        STANDARD | {"renovateType": "exterior"},
    ),
    "spacely.md 8 row 13: prompts of any text": (
        "spacely",
        "advance",
        ADVANCE | {"prompt": "Sofa, no lamp!", "nPrompt": ""},
    ),
    "spacely.md 8 row 13: no prompts": (
        "spacely",
        "advance",
        {name: value for name, value in ADVANCE.items() if not name.lower().endswith("prompt")},
    ),
}
REFUSED = {
    "gepetto.md 9 row 5: hardwood": ("gepetto", "refresh", FLOOR, "/input/value"),
    "gepetto.md 9 row 7: no kitchen in smart staging v1": (
        "gepetto",
        "smart-staging",
        STAGING,
        "/input/roomId",
    ),
    "gepetto.md 9 row 8: both": (
        "gepetto",
        "furnish",
        FURNISH | {"roomId": "r", "furnitureId": "f"},
        "/input",
    ),
    "gepetto.md 9 row 8: neither": ("gepetto", "furnish", FURNISH, "/input"),
    "gepetto.md 9 row 9: preserverWalls": (
        "gepetto",
        "redesign",
        REDESIGN | {"preserverWalls": True},
        "/input/preserverWalls",
    ),
    "spacely.md 8 row 7: furniture takes no negative coordinate": (
        "spacely",
        "furniture-placement",
        FURNITURE | {"placement": BOX_OUTSIDE},
        "/input/placement",
    ),
    "spacely.md 8 row 9: no styleImageUrl": (
        "spacely",
        "style-transfer",
        {name: value for name, value in STYLE.items() if name != "styleImageUrl"},
        "/input/styleImageUrl",
    ),
    "spacely.md 8 row 10: exterior for advance": (
        "spacely",
        "advance",
        ADVANCE | {"renovateType": "exterior"},
        "/input/renovateType",
    ),
}
GEPETTO_SAMPLES = [one for one in SAMPLES if one.provider == "gepetto"]
SPACELY_SAMPLES = [one for one in SAMPLES if one.provider == "spacely"]


class FakeTransport:
    """A provider that always answers the same."""

    def __init__(self, body, *, status=200):
        self.answer = Answer(
            status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        self.calls = []

    def post(self, url, *, body, **_headers):
        self.calls.append((url, body))
        return self.answer

    def get(self, url, **_headers):
        self.calls.append((url, b""))
        return self.answer


def gepetto(transport):
    return Gepetto(
        transport=transport,
        base_url="https://g.example/v1",
        api_key="k",
        limit=GEPETTO.limit,
        webhook_url=lambda _: WEBHOOK,
    )


def spacely(transport):
    return Spacely(
        transport=transport,
        base_url="https://s.example/api/v1",
        api_key="k",
        limit=SPACELY.limit,
    )


def job_of(sample):
    return a_job(
        provider=sample.provider,
        operation=sample.operation,
        input=sample.input,
        path=sample.path,
    )


def row(what, samples=()):
    """Name the row of the reference in the ids of a test."""
    ids = [f"{what}, {sample.operation}" for sample in samples] or [what]
    return pytest.mark.parametrize("sample", samples or [None], ids=ids)


@pytest.mark.parametrize(("provider", "operation", "given"), TAKEN.values(), ids=TAKEN.keys())
def test_what_the_reference_says_to_take_is_taken(provider, operation, given):
    find_operation(provider, operation).check(given, allow_local_urls=False)


@pytest.mark.parametrize(
    ("provider", "operation", "given", "pointer"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_the_reference_says_to_refuse_is_refused(provider, operation, given, pointer):
    with pytest.raises(InvalidRequest) as caught:
        find_operation(provider, operation).check(given, allow_local_urls=False)

    assert caught.value.pointer == pointer


@row("gepetto.md 9 row 1: every operation is a job with a webhook", GEPETTO_SAMPLES)
def test_every_operation_is_sent_with_our_webhook_and_followed(sample):
    transport = FakeTransport({"status": "pending", "id": PROVIDER_JOB_ID})

    accepted = gepetto(transport).submit(job_of(sample))

    ((_, body),) = transport.calls
    assert json.loads(body) == {**sample.input, "webhook": WEBHOOK}
    assert accepted == Accepted(provider_job_id=PROVIDER_JOB_ID, provider_status="pending")


PASTED = {
    "gepetto.md 9 row 2: declutter says sunshine": "submit-declutter-says-sunshine",
    "gepetto.md 9 row 4: refresh says redesign": "submit-refresh-says-redesign",
    "gepetto.md 9 row 6: smart staging says furnish": "submit-smart-staging-says-furnish",
}
RECORDED = {one.name: one for one in recordings("gepetto", "submit")}


@pytest.mark.parametrize("name", PASTED.values(), ids=PASTED.keys())
def test_of_a_pasted_acknowledgement_only_id_and_status_count(name):
    pasted = gepetto(FakeTransport(RECORDED[name].body)).submit(a_job())

    assert pasted == Accepted(provider_job_id=PROVIDER_JOB_ID, provider_status="pending")


@row("gepetto.md 9 row 2: declutter's acknowledgement as printed is no JSON")
def test_an_acknowledgement_that_is_no_json_leaves_it_open_whether_it_was_one(sample):
    as_printed = RECORDED["submit-declutter-as-printed"].body

    with pytest.raises(PerhapsAccepted):
        gepetto(FakeTransport(as_printed)).submit(a_job())


@row("gepetto.md 9 row 3: /decluter")
def test_declutter_goes_to_the_path_with_two_t(sample):
    transport = FakeTransport({"id": "x"})

    gepetto(transport).submit(a_job(operation="declutter", input={"url": IMAGE}))

    assert transport.calls[0][0] == "https://g.example/v1/declutter"


@row("gepetto.md 9 row 5: five floors")
def test_five_floors_are_offered(sample):
    (rule,) = find_operation("gepetto", "refresh").dependent

    assert rule.values["floor"] == ("parquet", "tile", "marble", "carpet", "concrete")


@row("gepetto.md 9 row 6: the mode of a poll says nothing")
def test_a_poll_is_read_without_its_mode(sample):
    answers = [{"status": "success", "output": OUTPUT, "mode": mode} for mode in ("furnish", 7)]

    for answer in answers:
        reading = gepetto(FakeTransport(answer)).poll(processing_job(operation="upscale"))
        assert reading == Rendered(outputs=(OUTPUT,), provider_status="success")


@row("gepetto.md 9 row 11: a trailing comma")
def test_a_trailing_comma_is_neither_sent_nor_taken(sample):
    transport = FakeTransport({"id": "x"})

    gepetto(transport).submit(a_job())
    with pytest.raises(HttpProblem):
        read_create_body(
            b'{"provider": "gepetto", "operation": "furnish", "input": {},}', check=print
        )

    assert json.loads(transport.calls[0][1])["webhook"] == WEBHOOK


@row("gepetto.md 9 row 13: base64 in a synchronous reply, a URL in the others")
def test_only_a_url_is_an_output(sample):
    with pytest.raises(PerhapsAccepted):
        gepetto(FakeTransport({"status": "success", "base64": "iVBORw0KGgo="})).submit(a_job())

    assert read_callback({"id": "x", "output": "iVBORw0KGgo="}).outputs == ()
    assert read_callback({"id": "x", "output": OUTPUT}).outputs == (OUTPUT,)


@row("gepetto.md 9 row 14: an id without a status, a status without an id")
def test_a_callback_needs_no_status_and_a_poll_no_id(sample):
    callback = read_callback({"id": PROVIDER_JOB_ID, "output": OUTPUT})
    poll = gepetto(FakeTransport({"status": "success", "output": OUTPUT})).poll(processing_job())

    assert (callback.provider_job_id, callback.outputs) == (PROVIDER_JOB_ID, (OUTPUT,))
    assert poll == Rendered(outputs=(OUTPUT,), provider_status="success")


@row("spacely.md 8 row 1: the one-point page prints the two-point path")
def test_there_is_no_one_point_perspective(sample):
    paths = {name: one.path for name, one in CATALOGUE["spacely"].operations.items()}

    assert [name for name in paths if "perspective" in name] == ["two-point-perspective"]
    assert paths["two-point-perspective"] == "/generate/two-point-perspective"


@row(
    "spacely.md 8 rows 2, 3 and 5: one poll-result for all, the refId in its query", SPACELY_SAMPLES
)
def test_every_operation_is_polled_at_poll_result(sample):
    transport = FakeTransport({"data": {"status": "processing", "result": []}})
    job = processing_job(
        provider="spacely", operation=sample.operation, provider_job_id="a b&c/d", path=sample.path
    )

    reading = spacely(transport).poll(job)

    parts = urlsplit(transport.calls[0][0])
    assert parts.path == "/api/v1/generate/poll-result"
    assert parse_qs(parts.query) == {"refId": ["a b&c/d"]}
    assert reading == StillOpen(provider_status="processing", is_known_word=True)


@row("spacely.md 8 row 4: 400 is labelled as not found")
def test_400_and_404_mean_the_same_to_a_poll(sample):
    readings = [
        spacely(FakeTransport(b"", status=status)).poll(processing_job(provider="spacely"))
        for status in (400, 404)
    ]

    assert [type(one) for one in readings] == [UnknownJob, UnknownJob]


@row("spacely.md 8 row 8: ids are passed on as they are")
def test_misspelt_ids_are_sent_as_they_came(sample):
    transport = FakeTransport({"data": "x"})
    ids = ["porceline_tile", "porcelain_tile", "nickle", "teck_wood"]
    given = STANDARD | {"materialsIds": ids}

    spacely(transport).submit(a_job(provider="spacely", operation="standard", input=given))

    assert json.loads(transport.calls[0][1]) == given


@row("spacely.md 8 row 11: the price of color-transfer is missing")
def test_color_transfer_is_assumed_to_cost_one_credit(sample):
    entry = find_operation("spacely", "color-transfer")

    assert entry.credits.of(sample_input("spacely", "color-transfer")) == 1
    assert any("assumed" in note for note in entry.notes)


@pytest.mark.parametrize(
    "body",
    [b'{ "data": <refId> }', b'{"data": 42}', b'{"data": null}'],
    ids=[f"spacely.md 8 row 12: {what}" for what in ("unquoted", "a number", "null")],
)
def test_a_reference_is_a_string(body):
    with pytest.raises(PerhapsAccepted):
        spacely(FakeTransport(body)).submit(
            a_job(provider="spacely", operation="advance", input=ADVANCE)
        )
