"""Signatures as receivers check them: with the official libraries of Standard Webhooks."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from relay.domain.callback import Callback
from relay.domain.events import published
from relay.domain.job import Status
from relay.domain.signatures import tenant_secret
from tests.clients.tools import INSTALLED, run_node
from tests.factories import JOB_ID, NOON, finished_job
from tests.fakes import CALLBACK_KEYS, FixedClock, World

SECRETS = [tenant_secret(key, "demo") for key in CALLBACK_KEYS]
OTHERS = [tenant_secret("e" * 32, "demo"), tenant_secret(CALLBACK_KEYS[0], "other")]
IN_NODE = """\
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { headers, body, secrets } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const checked = secrets.map((secret) => {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (error) {
    return error.name;
  }
});
console.log(JSON.stringify(checked));
"""


def clock_of_today():
    # The libraries refuse what was signed more than 5 minutes ago.
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def post(monkeypatch):
    """What the relay posts for a job that succeeded."""
    monkeypatch.setattr(World, "new_clock", staticmethod(clock_of_today))
    world = World()
    job = finished_job(Status.SUCCEEDED, callback=Callback(url="https://hooks.example.com/"))
    world.jobs.put(published(job, job.announcements[0].id, at=NOON))
    world.callbacks_pump(window_s=0).run()
    (post,) = world.endpoints.posts
    return post


@pytest.mark.parametrize("secret", SECRETS, ids=["the first key", "the second key"])
def test_the_python_library_accepts_what_is_posted_with_any_secret(post, secret):
    event = Webhook(secret).verify(post.body, dict(post.headers))

    assert event["type"] == "com.renderrelay.job.succeeded"
    assert event["data"]["id"] == JOB_ID


@pytest.mark.parametrize("secret", OTHERS, ids=["another key", "another tenant"])
def test_the_python_library_refuses_it_with_another_secret(post, secret):
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(post.body, dict(post.headers))


@pytest.mark.parametrize("changed", ["body", "webhook-id", "webhook-timestamp"])
def test_the_python_library_refuses_what_was_changed_on_the_way(post, changed):
    headers, body = dict(post.headers), post.body
    if changed == "body":
        body = body.replace(b"succeeded", b"cancelled")
    elif changed == "webhook-id":
        headers[changed] += "2"
    else:
        headers[changed] = str(int(headers[changed]) + 1)

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS[0]).verify(body, headers)


def test_the_javascript_library_agrees(node_tools, post, tmp_path):
    recorded = {
        "headers": dict(post.headers),
        "body": post.body.decode(),
        "secrets": [*SECRETS, *OTHERS],
    }
    (tmp_path / "recorded.json").write_text(json.dumps(recorded))
    (tmp_path / "check.mjs").write_text(IN_NODE)
    (tmp_path / "node_modules").symlink_to(INSTALLED / "node_modules")

    done = run_node(["check.mjs", "recorded.json"], cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    checked, good = json.loads(done.stdout), "com.renderrelay.job.succeeded"
    assert checked[:2] == [good, good]
    assert [one == good for one in checked[2:]] == [False, False]
