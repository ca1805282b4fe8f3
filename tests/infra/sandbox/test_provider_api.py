"""Both providers in the sandbox, as documented and as they misbehave on request."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import Client, TestResponse

from infra.sandbox.app import Application
from infra.sandbox.behaviours import parse
from infra.sandbox.pictures import InputUnusableError
from infra.sandbox.provider_api import HungUpError
from infra.sandbox.state import SandboxState, Settings

NOON = 1_800_000_000.0
G = "/gepetto/v1"
S = "/spacely/api/v1/generate"
HOOK = "https://relay.example/hook"
LIVING = "https://rooms.example/living.jpg"
REDESIGN = {"url": LIVING, "styleId": "modern", "roomId": "living_room", "creativity": 12}
STANDARD = {
    "model": "spacely-v1",
    "imageUrl": LIVING,
    "spaceType": "bedroom",
    "spaceStyle": "coastal",
    "renovateType": "residential",
}


@dataclass
class HandClock:
    """A clock that moves when it is slept on, and then runs what is due."""

    now: float = 0.0
    moved: Callable[[], object] = lambda: None

    def wall(self) -> float:
        return NOON + self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.moved()


@cache
def a_photo() -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").resize((96, 64)).save(file, "JPEG")
    return file.getvalue()


@dataclass
class Sandbox:
    """A sandbox without network or waiting."""

    state: SandboxState
    clock: HandClock
    sent: list[tuple[str, bytes]]
    http: Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = Client(Application(self.state))

    def gepetto(self, path: str, body: object = None, key: str = "sandbox-gepetto-key"):
        return self._call(G + path, body, {"Authorization": f"Bearer {key}"})

    def spacely(self, path: str, body: object = None, key: str = "sandbox-spacely-key"):
        return self._call(S + path, body, {"X-API-KEY": key})

    def redesign(self, misbehaving: str = "", **more: object) -> TestResponse:
        url = f"{LIVING}?sandbox={misbehaving}" if misbehaving else LIVING
        return self.gepetto("/redesign", REDESIGN | {"url": url, "webhook": HOOK} | more)

    def standard(self, misbehaving: str = "") -> TestResponse:
        return self.spacely("/standard", STANDARD | {"imageUrl": f"{LIVING}?sandbox={misbehaving}"})

    def seen(self, what: str):
        return self.http.get(f"/sandbox/{what}").json

    def _call(self, path: str, body: object, headers: dict[str, str]) -> TestResponse:
        if body is None:
            return self.http.get(path, headers=headers)
        return self.http.post(path, json=body, headers=headers)


def a_sandbox(behave: str = "", **settings: Any) -> Sandbox:
    clock, sent = HandClock(), []

    def send(url: str, body: bytes) -> int:
        sent.append((url, body))
        return 200

    def fetch(url: str) -> bytes:
        if "broken" in url:
            raise InputUnusableError("broken")
        if url.endswith(".html"):
            return b"<html>"
        return a_photo()

    state = SandboxState.build(
        Settings(behaviours=parse(behave), **settings),
        clock=clock,
        run=lambda action: action(),
        fetch=fetch,
        send=send,
    )
    clock.moved = state.scheduler.run_due
    return Sandbox(state, clock, sent)


@pytest.fixture
def sandbox() -> Sandbox:
    return a_sandbox()


def test_gepetto_acknowledges_a_redesign_in_the_documented_shape(sandbox):
    answer = sandbox.redesign()

    ident = answer.json["id"]
    assert answer.json == {
        "status": "pending", "id": ident, "mode": "redesign",
        "styleId": "modern", "roomId": "living_room", "creativity": 12,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "more", "mode", "echoed"),
    [
        ("/furnish", {}, "furnish", {"styleId", "roomId"}),
        ("/smart-staging", {}, "furnish", {"styleId", "roomId"}),
        ("/smart-staging-v2", {}, "furnish", {"styleId", "roomId"}),
        ("/refresh", {"transformation": "walls", "value": "deep blue"}, "redesign",
         {"styleId", "roomId", "creativity"}),
        ("/declutter", {}, "sunshine", {"skyId"}),
        ("/creative-redesign", {}, None, set()),
        ("/sunshine", {}, None, set()),
        ("/upscale", {}, None, set()),
    ],
)  # fmt: skip
def test_gepetto_prints_the_modes_and_echoes_of_its_pages(sandbox, path, more, mode, echoed):
    body = {"url": LIVING, "styleId": "modern", "roomId": "bedroom", "webhook": HOOK} | more

    answer = sandbox.gepetto(path, body).json

    assert answer.pop("mode", None) == mode
    assert set(answer) - {"status", "id"} == echoed


def test_a_finished_gepetto_job_sends_one_webhook_and_shows_its_picture(sandbox):
    ident = sandbox.redesign("render-s=2").json["id"]
    before = sandbox.gepetto(f"/job/{ident}").json

    sandbox.clock.sleep(2)

    url = f"http://localhost/renders/{ident}-1.png"
    assert before == {
        "status": "pending", "output": None, "mode": "redesign",
        "createdAt": "2027-01-15T08:00:00.000Z",
    }  # fmt: skip
    assert sandbox.gepetto(f"/job/{ident}").json == before | {"status": "success", "output": url}
    assert [(to, json.loads(body)) for to, body in sandbox.sent] == [
        (HOOK, {"id": ident, "output": url})
    ]
    assert sandbox.http.get(url).data.startswith(b"\x89PNG")


def test_gepetto_without_a_webhook_blocks_until_the_picture_is_there(sandbox):
    answer = sandbox.gepetto("/redesign", REDESIGN | {"url": f"{LIVING}?sandbox=render-s=8"})

    assert sandbox.clock.now == 8
    assert set(answer.json) == {"base64", "status"}
    assert answer.json["base64"].startswith("iVBOR")


def test_spacely_gives_a_reference_and_then_four_pictures(sandbox):
    ref = sandbox.standard("render-s=5").json["data"]
    before = sandbox.spacely(f"/poll-result?refId={ref}").json

    sandbox.clock.sleep(5)

    after = sandbox.spacely(f"/poll-result?refId={ref}").json["data"]
    assert before == {"data": {"status": "processing", "result": []}}
    assert after["status"] == "success"
    pictures = {sandbox.http.get(url).data for url in after["result"]}
    assert len(pictures) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.gepetto("/rooms", key="wrong"),
        lambda s: s.gepetto("/job/x", key=""),
        lambda s: s.spacely("/poll-result?refId=x", key="wrong"),
        lambda s: s.spacely("/standard", STANDARD, key="sandbox-gepetto-key"),
    ],
    ids=["gepetto", "gepetto without", "spacely", "the other provider's"],
)
def test_a_wrong_key_is_401(sandbox, call):
    assert call(sandbox).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/redesign", {**REDESIGN, "creativity": 31}, b"creativity"),
        ("/redesign", {**REDESIGN, "creativity": True}, b"creativity"),
        ("/redesign", {**REDESIGN, "styleId": None}, b"styleId"),
        ("/redesign", {**REDESIGN, "webhook": "ftp://x"}, b"webhook"),
        ("/furnish", {**REDESIGN, "furnitureId": "sofa"}, b"furnitureId"),
        ("/furnish", {"url": LIVING, "styleId": "modern"}, b"furnitureId"),
        ("/refresh", {"url": LIVING, "transformation": "floor", "value": "hardwood"}, b"value"),
        ("/smart-staging", {**REDESIGN, "roomId": "kitchen"}, b"roomId"),
        ("/upscale", [], b"url"),
        ("/upscale", {"url": LIVING + "?sandbox=nonsense"}, b"nonsense"),
        ("/upscale", {"url": LIVING + "?sandbox=account=402"}, b"account"),
    ],
)
def test_gepetto_refuses_wrong_input_with_400(sandbox, path, body, named):
    answer = sandbox.gepetto(path, body)

    assert answer.status_code == 400
    assert named in answer.data
    assert sandbox.seen("jobs") == {"jobs": []}


POINT = {"x": -1.5, "y": 2}
BOX = {"x": 1, "y": 2, "w": 3, "h": 4}
PRODUCT = {"imageUrl": LIVING, "productImageUrl": LIVING, "placement": BOX}
PAINT = {"imageUrl": LIVING, "area": "wall", "color": "#0543F5"}
SPACELY_BODIES: dict[str, dict[str, Any]] = {
    "standard": STANDARD,
    "advance": {"model": "m", "imageUrl": LIVING, "renovateType": "commercial"},
    "style-transfer": {**STANDARD, "styleImageUrl": LIVING},
    "furniture-placement": {**PRODUCT, "area": BOX},
    "decoration-placement": {
        **PRODUCT, "productWidth": 0.5, "productHeight": 1, "referenceLine": [POINT, POINT],
        "lineLength": 2.5,
    },
    "two-point-perspective": {
        "imageUrl": LIVING, "topCornerLine": [POINT] * 3, "roomHeight": 2.4,
        "bottomCornerReferenceLine": [POINT] * 3,
    },
    "color-transfer": PAINT,
    "color-transfer-exact": PAINT,
    "text-to-image": {"prompt": "a zen bedroom", "nPrompt": ""},
}  # fmt: skip


@pytest.mark.parametrize("operation", SPACELY_BODIES)
def test_spacely_takes_every_operation_and_renders_it(sandbox, operation):
    ref = sandbox.spacely(f"/{operation}", SPACELY_BODIES[operation]).json["data"]

    sandbox.clock.sleep(60)

    url = sandbox.spacely(f"/poll-result?refId={ref}").json["data"]["result"][0]
    assert sandbox.http.get(url).status_code == 200


@pytest.mark.parametrize("operation", SPACELY_BODIES)
def test_spacely_refuses_every_operation_without_its_required_fields(sandbox, operation):
    optional = {"nPrompt"}
    for name in set(SPACELY_BODIES[operation]) - optional - {"spaceStyle"}:
        body = {key: value for key, value in SPACELY_BODIES[operation].items() if key != name}
        if operation == "style-transfer" and name == "model":
            continue
        assert sandbox.spacely(f"/{operation}", body).status_code == 400, name


def test_spacely_advance_knows_no_exterior(sandbox):
    body = SPACELY_BODIES["advance"] | {"renovateType": "exterior"}

    assert sandbox.spacely("/advance", body).status_code == 400


def test_an_unknown_job_is_400_at_both(sandbox):
    assert sandbox.gepetto("/job/nobody").status_code == 400
    assert sandbox.spacely("/poll-result?refId=nobody").status_code == 400


def test_an_input_that_cannot_be_fetched_is_a_failed_render_without_webhook(sandbox):
    ident = sandbox.redesign(url="https://rooms.example/broken.jpg").json["id"]

    sandbox.clock.sleep(60)

    answer = sandbox.gepetto(f"/job/{ident}").json
    assert (answer["status"], answer["output"]) == ("failed", None)
    assert sandbox.sent == []
    assert sandbox.seen("jobs")["jobs"][0]["fetchedInput"] is False


def test_an_input_that_is_no_image_is_a_failed_render(sandbox):
    sandbox.redesign(url="https://rooms.example/page.html")

    sandbox.clock.sleep(60)

    job = sandbox.seen("jobs")["jobs"][0]
    assert (job["state"], job["fetchedInput"]) == ("failed", False)


def test_without_downloads_a_sample_room_replaces_the_input():
    sandbox = a_sandbox(fetches_inputs=False)
    ident = sandbox.redesign(url="https://rooms.example/broken.jpg").json["id"]

    sandbox.clock.sleep(60)

    assert sandbox.http.get(f"/renders/{ident}-1.png").status_code == 200
    assert sandbox.http.get(f"/renders/{ident}-2.png").status_code == 404


def test_gepetto_s_lists_hold_what_its_pages_print(sandbox):
    rooms, styles, skies = (
        sandbox.gepetto(f"/{name}").json for name in ("rooms", "styles", "skies")
    )

    assert {"id", "name", "name-en", "type"} == rooms[0].keys()
    assert [one["id"] for one in styles] == ["modern", "demeures"]
    assert skies == []


def test_the_121st_gepetto_call_in_a_minute_is_429_and_a_minute_later_all_is_well(sandbox):
    first = [sandbox.gepetto("/rooms").status_code for _ in range(120)]
    over = sandbox.redesign().status_code
    sandbox.clock.sleep(60)

    assert set(first) == {200}
    assert over == 429
    assert sandbox.gepetto("/rooms").status_code == 200
    assert sandbox.seen("summary")["gepetto"]["mostCallsInWindow"] == 121
    assert sandbox.seen("summary")["gepetto"]["limitExceeded"] is True


def test_the_101st_spacely_call_in_a_second_blocks_the_account():
    sandbox = a_sandbox(spacely_block_s=30)
    for _ in range(101):
        last = sandbox.spacely("/poll-result?refId=x").status_code

    sandbox.clock.sleep(29)
    blocked = sandbox.standard().status_code
    sandbox.clock.sleep(1)

    assert (last, blocked) == (403, 403)
    assert sandbox.standard().status_code == 200


def test_a_limit_of_zero_is_none():
    sandbox = a_sandbox(gepetto_calls_per_minute=0)

    assert {sandbox.gepetto("/rooms").status_code for _ in range(150)} == {200}
    assert sandbox.seen("summary")["gepetto"]["limitExceeded"] is False


def test_sample_rooms_are_listed_and_all_different(sandbox):
    rooms = sandbox.http.get("/rooms").json["rooms"]

    pictures = {sandbox.http.get(url).data for url in rooms.values()}
    assert len(pictures) == len(rooms) == 6


def test_a_job_number_draws_the_same_chances_again():
    def lost() -> list[int]:
        sandbox = a_sandbox("webhook-lost@0.3", gepetto_calls_per_minute=0)
        for _ in range(40):
            sandbox.redesign()
        jobs = sandbox.seen("jobs")["jobs"]
        return [job["number"] for job in jobs if "webhook-lost" in job["behaviour"]]

    first = lost()
    assert first == lost()
    assert 4 < len(first) < 22


def test_reset_forgets_everything_and_restores_the_first_behaviour():
    sandbox = a_sandbox("ack-no-id")
    sandbox.redesign()
    sandbox.http.put("/sandbox/behaviour", json={})

    sandbox.http.post("/sandbox/reset")

    assert sandbox.seen("jobs") == {"jobs": []}
    assert sandbox.seen("calls") == {"calls": []}
    assert set(sandbox.seen("behaviour")) == {"ack-no-id"}
    assert sandbox.seen("summary")["gepetto"]["mostCallsInWindow"] == 0


def test_a_call_is_logged_with_what_a_test_needs_to_know_it_by(sandbox):
    ident = sandbox.redesign().json["id"]
    sandbox.gepetto(f"/job/{ident}?secret=1")
    with pytest.raises(HungUpError):
        sandbox.redesign("accept-close")

    submit, poll, dropped = sandbox.seen("calls")["calls"]
    assert submit == {
        "number": 1, "at": NOON, "monotonic": 0.0, "provider": "gepetto", "method": "POST",
        "path": "/gepetto/v1/redesign", "kind": "submit", "authenticated": True,
        "overLimit": False, "status": 200, "providerJobId": ident, "input": LIVING,
    }  # fmt: skip
    assert (poll["kind"], poll["path"]) == ("poll", f"/gepetto/v1/job/{ident}")
    assert dropped["status"] is None
    assert [call["number"] for call in sandbox.seen("calls?after=2")["calls"]] == [3]


UNDOCUMENTED = [
    (G + "/redesign", REDESIGN | {"styleId": "moderne-typo", "webhook": HOOK}, "styleId"),
    (G + "/redesign", REDESIGN | {"roomId": "cellar", "webhook": HOOK}, "roomId"),
    (S + "/standard", STANDARD | {"spaceStyle": "moderne-typo"}, "spaceStyle"),
    (S + "/standard", STANDARD | {"spaceColor": "set_41"}, "spaceColor"),
    (S + "/standard", STANDARD | {"materialsIds": ["oak", "oakum"]}, "materialsIds"),
    (S + "/standard", STANDARD | {"model": "spacely-v9"}, "model"),
]
KEYS = {"Authorization": "Bearer sandbox-gepetto-key", "X-API-KEY": "sandbox-spacely-key"}


@pytest.mark.parametrize(("path", "inputs", "field"), UNDOCUMENTED)
def test_an_undocumented_id_is_refused_if_the_sandbox_is_strict_and_only_then(path, inputs, field):
    strict, usual = a_sandbox(strict_ids=True), a_sandbox()

    refused = strict.http.post(path, json=inputs, headers=KEYS)

    assert (refused.status_code, refused.text.split()[0]) == (400, field)
    assert strict.state.jobs.all() == []
    assert usual.http.post(path, json=inputs, headers=KEYS).status_code == 200


@pytest.mark.parametrize("strict", [True, False])
def test_documented_ids_and_the_empty_ones_of_the_samples_are_taken(strict):
    sandbox = a_sandbox(strict_ids=strict)
    inputs = STANDARD | {"spaceColor": "", "styleUrl": "", "materialsIds": ["porceline_tile"]}

    assert sandbox.redesign().status_code == 200
    assert sandbox.spacely("/standard", inputs).status_code == 200
