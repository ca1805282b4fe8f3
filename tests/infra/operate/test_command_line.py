"""The command line says what was wrong with it, and touches nothing then."""

import json
import re
import shlex
from pathlib import Path

import pytest

from infra.operate import __main__ as command_line
from infra.operate.__main__ import main
from relay.domain.job import Status
from tests.factories import a_job, finished_job, job_id
from tests.infra.operate.deployments import deployment_of

DOCS = Path(__file__).parents[3] / "docs"
RUNBOOKS = "".join(page.read_text() for page in sorted(DOCS.rglob("*.md")))
IN_RUNBOOKS = sorted({*re.findall(r"(?:^ *|`)operate ([^`\n#]+)", RUNBOOKS, re.MULTILINE)})


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["infra.operate", *words])
    return main()


@pytest.mark.parametrize("words", IN_RUNBOOKS)
def test_what_the_runbooks_have_people_type_is_understood(words):
    assert command_line._arguments(shlex.split(words)).command


def test_the_runbooks_use_every_command():
    assert {words.split()[0] for words in IN_RUNBOOKS} == {
        "account",
        "cancel",
        "jobs",
        "redeliver",
        "redrive",
        "release-hold",
    }


@pytest.fixture
def on_fakes(world, monkeypatch):
    monkeypatch.setattr(command_line, "local_deployment", lambda *_: deployment_of(world))
    return world


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel", "shop"], "--status"),
        (["cancel", "shop", "--status", "succeeded"], "succeeded"),
        (["redeliver", "shop"], "--since"),
        (["redeliver", "shop", "--since", "2026-11-22T08:00:00"], "no moment such as"),
        (["redeliver", "shop", "--since", "2 weeks"], "no moment such as"),
        (["release-hold", "callbacks"], "callbacks"),
        (["account", "gepeto"], "gepeto"),
        (["jobs", "shop", "--limit", "0"], "no number"),
        (["account", "gepetto", "--project", "p", "--stack-file", "s"], "not allowed with"),
        ([], "COMMAND"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_named(monkeypatch, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *words)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_without_a_stack_it_says_what_to_do(monkeypatch, capsys, tmp_path):
    code = run(monkeypatch, "jobs", "demo", "--stack-file", str(tmp_path / "stack.json"))

    assert code == 1
    assert "make up" in capsys.readouterr().err


def test_a_file_that_is_no_stacks_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "stack.json").write_text('{"project": "p"}')

    assert run(monkeypatch, "jobs", "demo", "--stack-file", str(tmp_path / "stack.json")) == 1
    assert "stack.json is not a stack's" in capsys.readouterr().err


def test_a_project_is_not_looked_for_in_an_emulator(monkeypatch, capsys):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")

    assert run(monkeypatch, "jobs", "demo", "--project", "p") == 1
    assert "FIRESTORE_EMULATOR_HOST must not be set" in capsys.readouterr().err


def test_a_project_needs_credentials(monkeypatch, capsys, tmp_path):
    for name in ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    assert run(monkeypatch, "jobs", "demo", "--project", "p") == 1
    assert "gcloud auth application-default login" in capsys.readouterr().err


def test_json_is_all_that_is_printed(on_fakes, monkeypatch, capsys):
    on_fakes.jobs.put(a_job())

    code = run(monkeypatch, "cancel", a_job().tenant, "--status", "open", "--dry-run", "--json")

    told = json.loads(capsys.readouterr().out)
    assert (code, told["dryRun"], told["wouldCancel"]) == (0, True, 1)
    assert on_fakes.jobs.writes == 0


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", a_job().tenant],
        ["cancel", a_job().tenant, "--status", "queued"],
        ["redeliver", a_job().tenant, "--since", "1h"],
        ["account", "gepetto"],
        ["account", "callbacks"],
        ["release-hold", "gepetto"],
        ["redrive", "gepetto"],
    ],
    ids=" ".join,
)
def test_every_command_has_a_dry_run_that_writes_nothing(on_fakes, monkeypatch, capsys, words):
    on_fakes.jobs.put(a_job(), finished_job(Status.SUCCEEDED, id=job_id(2)))

    assert run(monkeypatch, *words, "--dry-run") == 0

    assert (on_fakes.jobs.writes, on_fakes.accounts.writes, on_fakes.topics.ticks) == (0, 0, [])
    said = capsys.readouterr()
    assert said.out.strip()
    assert said.err == "On the fakes, dry run: nothing is changed\n"


def test_what_could_not_be_done_is_said_and_fails(on_fakes, monkeypatch, capsys):
    on_fakes.accounts.is_down = True

    assert run(monkeypatch, "account", "gepetto") == 1
    assert capsys.readouterr().err.endswith("\nNot done: StoreUnavailable: read\n")
