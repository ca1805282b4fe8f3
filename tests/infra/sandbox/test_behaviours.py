"""Every misbehaviour of the sandbox, one by one, and how it is asked for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.behaviours import (
    BEHAVIOURS,
    BehaviourRequest,
    UnknownBehaviourError,
    as_json,
    described,
    from_json,
    parse,
)
from infra.sandbox.provider_api import HELD_S, HungUpError
from tests.infra.sandbox.test_provider_api import HOOK, a_sandbox

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"


def ended(sandbox, misbehaving: str) -> dict[str, object]:
    """Redesign, wait long enough for anything, and return the job's poll."""
    ident = sandbox.redesign(misbehaving).json["id"]
    sandbox.clock.sleep(60)
    sandbox.clock.sleep(60)
    return sandbox.gepetto(f"/job/{ident}").json


def payloads(sandbox) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in sandbox.sent]


def statuses(sandbox, misbehaving: str, times: int) -> list[int]:
    return [sandbox.redesign(misbehaving).status_code for _ in range(times)]


def test_a_lost_webhook_is_never_sent():
    sandbox = a_sandbox()

    assert ended(sandbox, "webhook-lost")["status"] == "success"
    assert sandbox.sent == []


def test_a_doubled_webhook_is_sent_twice():
    sandbox = a_sandbox()
    ended(sandbox, "webhook-twice")

    first, second = payloads(sandbox)
    assert first == second


def test_an_early_webhook_is_answered_before_the_submit_is():
    sandbox = a_sandbox()

    ident = sandbox.redesign("webhook-early").json["id"]

    assert [payload["id"] for payload in payloads(sandbox)] == [ident]
    assert sandbox.clock.now == 0


def test_a_late_webhook_comes_that_long_after_the_render():
    sandbox = a_sandbox()
    sandbox.redesign("webhook-late=30,render-s=2")

    sandbox.clock.sleep(2)
    sandbox.clock.sleep(29)
    before = len(sandbox.sent)
    sandbox.clock.sleep(1)

    assert (before, len(sandbox.sent)) == (0, 1)


def test_a_webhook_without_output_holds_only_the_id_even_of_a_failed_render():
    sandbox = a_sandbox()

    ended(sandbox, "webhook-no-output")
    ended(sandbox, "webhook-no-output,failed")

    assert [set(payload) for payload in payloads(sandbox)] == [{"id"}, {"id"}]


def test_a_webhook_can_bring_another_jobs_id():
    sandbox = a_sandbox()
    other = sandbox.redesign("webhook-lost").json["id"]

    ended(sandbox, "webhook-wrong-id")

    assert [payload["id"] for payload in payloads(sandbox)] == [other]


def test_a_nonsense_webhook_is_not_json():
    sandbox = a_sandbox()
    ended(sandbox, "webhook-nonsense")

    ((_, body),) = sandbox.sent
    with pytest.raises(ValueError, match="codec"):
        json.loads(body)


@pytest.mark.parametrize(("asked", "word"), [("failed", "failed"), ("failed=error", "error")])
def test_a_failed_render_says_its_word_and_sends_nothing(asked, word):
    sandbox = a_sandbox()

    answer = ended(sandbox, asked)

    assert (answer["status"], answer["output"], sandbox.sent) == (word, None, [])


def test_a_render_can_fail_for_the_first_try_of_an_input_alone():
    sandbox = a_sandbox()

    assert ended(sandbox, "fails=1")["status"] == "failed"
    assert ended(sandbox, "fails=1")["status"] == "success"


def test_a_prompt_can_ask_for_misbehaviour_where_there_is_no_image():
    sandbox = a_sandbox()
    body = {"prompt": "a loft sandbox:odd-status=warming,render-s=9 with plants"}

    ref = sandbox.spacely("/text-to-image", body).json["data"]

    answer = sandbox.spacely(f"/poll-result?refId={ref}").json
    assert answer == {"data": {"status": "warming", "result": []}}


def test_success_can_stay_without_output():
    sandbox = a_sandbox()

    answer = ended(sandbox, "no-output")

    assert (answer["status"], answer["output"]) == ("success", None)
    assert [payload["output"] for payload in payloads(sandbox)] == [None]


def test_a_cold_model_starts_later():
    sandbox = a_sandbox()
    ident = sandbox.redesign("cold-s=100,render-s=5").json["id"]

    sandbox.clock.sleep(104)
    before = sandbox.gepetto(f"/job/{ident}").json["status"]
    sandbox.clock.sleep(1)

    assert before == "pending"
    assert sandbox.gepetto(f"/job/{ident}").json["status"] == "success"


def test_an_acknowledgement_can_be_late():
    sandbox = a_sandbox()

    assert sandbox.redesign("ack-late=7,render-s=1").status_code == 200
    assert sandbox.clock.now == 7
    assert len(sandbox.sent) == 1


def test_an_acknowledgement_can_lack_its_id():
    sandbox = a_sandbox()

    assert "id" not in sandbox.redesign("ack-no-id").json
    assert sandbox.standard("ack-no-id").json == {}
    assert len(sandbox.seen("jobs")["jobs"]) == 2


@pytest.mark.parametrize("status", [400, 429, 503, 500])
def test_the_first_tries_of_an_input_can_be_refused_without_a_job(status):
    sandbox = a_sandbox()

    got = statuses(sandbox, f"submit-{status}=2", 3)

    assert got == [status, status, 200]
    assert len(sandbox.seen("jobs")["jobs"]) == 1


def test_without_a_number_every_try_is_refused():
    sandbox = a_sandbox()

    assert statuses(sandbox, "submit-503", 5) == [503] * 5


def test_tries_of_different_inputs_are_counted_apart():
    sandbox = a_sandbox("submit-503=1")

    assert statuses(sandbox, "render-s=1", 2) == [503, 200]
    assert statuses(sandbox, "render-s=2", 2) == [503, 200]


def test_an_accepted_job_can_be_answered_500_and_still_render():
    sandbox = a_sandbox()

    assert statuses(sandbox, "accept-500=1", 1) == [500]
    sandbox.clock.sleep(60)
    assert sandbox.sent[0][0] == HOOK


def test_an_accepted_job_can_go_without_any_answer():
    sandbox = a_sandbox()

    with pytest.raises(HungUpError):
        sandbox.redesign("accept-close")
    with pytest.raises(HungUpError):
        sandbox.redesign("accept-hang")

    assert sandbox.clock.now == HELD_S
    assert [job["state"] for job in sandbox.seen("jobs")["jobs"]] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(("asked", "status"), [("poll-500=2", 500), ("poll-unknown=2", 400)])
def test_the_first_polls_of_a_job_can_fail(asked, status):
    sandbox = a_sandbox()
    ref = sandbox.standard(asked).json["data"]

    got = [sandbox.spacely(f"/poll-result?refId={ref}").status_code for _ in range(3)]

    assert got == [status, status, 200]


def test_errors_can_be_html_pages():
    sandbox = a_sandbox("html-errors")

    answer = sandbox.gepetto("/job/nobody")

    assert answer.content_type.startswith("text/html")
    assert answer.data.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("code", [401, 402, 403])
def test_an_account_can_be_refused_and_taken_back_at_run_time(code):
    sandbox = a_sandbox()
    sandbox.http.put("/sandbox/behaviour", json={"spacely:account": code})

    assert sandbox.standard().status_code == code
    assert sandbox.redesign().status_code == 200
    sandbox.http.put("/sandbox/behaviour", json={})
    assert sandbox.standard().status_code == 200


def test_a_job_wins_over_the_server():
    sandbox = a_sandbox("render-s=100")

    sandbox.redesign("render-s=1")
    sandbox.clock.sleep(1)

    assert len(sandbox.sent) == 1


@pytest.mark.parametrize(
    "text",
    ["nope", "render-s=x", "render-s=-1", "webhook-lost@2", "webhook-lost=1", "submit-503=1.5",
     "account=500", "failed=<b>", "acme:failed", "A B", "render-s=nan"],
)  # fmt: skip
def test_an_unreadable_behaviour_is_refused(text):
    with pytest.raises(UnknownBehaviourError):
        parse(text)


@pytest.mark.parametrize(
    "document",
    [[], {"nope": True}, {"render-s": []}, {"render-s": {"value": 1, "probability": "much"}}],
)
def test_an_unreadable_behaviour_document_changes_nothing(document):
    sandbox = a_sandbox("failed")

    assert sandbox.http.put("/sandbox/behaviour", json=document).status_code == 400
    assert set(sandbox.seen("behaviour")) == {"failed"}


def test_every_behaviour_survives_being_written_and_read():
    requests = parse(",".join(behaviour.name for behaviour in BEHAVIOURS))

    assert from_json(as_json(requests)) == requests
    assert parse("gepetto:fails=2@0.25") == {
        "gepetto:fails": BehaviourRequest(2.0, 0.25, "gepetto")
    }
    assert from_json({"failed": False, "render-s": 2}) == {"render-s": BehaviourRequest(2.0)}


def test_help_describes_every_behaviour_on_one_line():
    lines = described().splitlines()

    assert len(lines) == len(BEHAVIOURS)
    assert all(behaviour.summary in described() for behaviour in BEHAVIOURS)


EXAMPLES = re.findall(r"^\| `([\w-]+)` \|.*\| `(\{.*\})` \|$", PAGE.read_text(), re.MULTILINE)


def test_the_page_has_every_behaviour_in_the_order_of_the_table():
    assert [name for name, _ in EXAMPLES] == [behaviour.name for behaviour in BEHAVIOURS]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_of_the_page_is_taken_and_sets_its_behaviour(name, example):
    sandbox = a_sandbox()

    answer = sandbox.http.put("/sandbox/behaviour", data=example)

    assert answer.status_code == 200
    assert name in {key.rpartition(":")[2] for key in answer.get_json()}
    assert sandbox.http.get("/sandbox/behaviour").json == answer.json


def test_the_answer_that_the_page_shows_is_the_one_to_its_example():
    (body,) = re.findall(r"--data '(.*)'", PAGE.read_text())
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)

    answer = a_sandbox().http.put("/sandbox/behaviour", data=body)

    assert answer.json == json.loads(shown)
