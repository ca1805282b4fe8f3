"""A small project to put mutants into."""

import subprocess

import pytest


@pytest.fixture
def project(tmp_path):
    """A project with two modules and a test of one, committed."""
    files = {
        "functions/relay/domain/ages.py": "def is_old(age):\n    return age > 7\n",
        "functions/relay/edges/words.py": "def both(a, b):\n    return a and b\n",
        "tests/unit/test_a_word.py": "def test_nothing():\n    pass\n",
        "tests/unit/test_the_age.py": (
            "from relay.domain.ages import is_old\n\n"
            "def test_eight_is_old():\n    assert is_old(8)\n\n"
            "def test_six_is_not():\n    assert not is_old(6)\n"
        ),
        "pyproject.toml": (
            '[tool.pytest.ini_options]\npythonpath = ["functions", "."]\n'
            'markers = ["emulator", "storm"]\naddopts = "-ra"\n'
        ),
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def git(root, *args):
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    subprocess.run(["git", "-C", str(root), *author, *args], check=True)
