"""In which order tests run against a mutant, and what is said of it."""

import subprocess

import pytest

from infra.mutants.mutations import all_mutants
from infra.mutants.trials import ImportGraph, MutantRunner, OriginalFails
from tests.infra.mutants.conftest import git


def test_tests_that_import_the_module_come_first_and_those_of_the_tools_never(project):
    files = {
        "functions/relay/domain/ages.py": "",
        "functions/relay/domain/jobs.py": "from relay.domain import ages\n",
        "tests/entrypoints/conftest.py": "import relay.domain.ages\n",
        "tests/entrypoints/test_api.py": "",
        "tests/system/test_all.py": "import relay.domain.ages\n",
        "tests/unit/test_a.py": "",
        "tests/unit/test_jobs.py": "from relay.domain.jobs import Job\n",
        "tests/infra/test_mutants.py": "import relay.domain.ages\n",
        "tests/unit/test_z.py": "from relay.domain.ages import is_old\n",
    }
    for path, text in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)

    order = ImportGraph(project, list(files)).tests_for("functions/relay/domain/ages.py")

    assert order == [
        "tests/unit/test_z.py",
        "tests/entrypoints/test_api.py",
        "tests/unit/test_jobs.py",
        "tests/unit/test_a.py",
    ]


@pytest.mark.thorough
def test_mutants_are_tried_in_a_copy_and_say_what_caught_them(project, tmp_path_factory):
    mutants = [one for one in all_mutants(project, only=["ages.py"]) if " age >" in one.new]
    runner = MutantRunner(project, tmp_path_factory.mktemp("copies"), copies=1, seeds=0)

    caught = {trial.mutant.new: trial.caught_by for trial in runner.try_all(mutants)}

    assert caught == {
        "return age > 8": "tests/unit/test_the_age.py::test_eight_is_old",
        "return age > 6": None,
        "return age >= 7": None,
    }
    subprocess.run(["git", "-C", str(project), "diff", "--exit-code"], check=True)


@pytest.mark.thorough
def test_no_mutant_is_tried_with_the_bytecode_of_another(project, tmp_path_factory):
    # The test that runs last has a process import the module, and leave its bytecode.
    (project / "tests/unit/test_z_process.py").write_text(
        "import subprocess, sys\n\n"
        "def test_a_process():\n"
        "    command = [sys.executable, '-c', 'import relay.domain.ages']\n"
        "    subprocess.run(command, env={'PYTHONPATH': 'functions'}, check=True)\n"
    )
    git(project, "add", ".")
    found = {one.new: one for one in all_mutants(project, only=["ages.py"])}
    mutants = [found["return age > 6"], found["return age > 8"]]
    runner = MutantRunner(project, tmp_path_factory.mktemp("copies"), copies=1, seeds=0)

    caught = {trial.mutant.new: trial.caught_by for trial in runner.try_all(mutants)}

    assert caught["return age > 6"] is None
    assert caught["return age > 8"] == "tests/unit/test_the_age.py::test_eight_is_old"


@pytest.mark.thorough
def test_tests_that_fail_anyway_are_an_error(project, tmp_path_factory):
    (project / "tests/unit/test_a_word.py").write_text("def test_nothing():\n    assert False\n")

    with pytest.raises(OriginalFails, match="test_nothing"):
        MutantRunner(project, tmp_path_factory.mktemp("copies"), copies=1, seeds=0)
