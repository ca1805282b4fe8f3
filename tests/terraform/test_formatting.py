"""Terraform's own formatting, and what this house wants of variables and skipped checks."""

import re
import subprocess

import pytest

from tests.terraform.hcl_files import labelled, read_folder
from tests.terraform.running import SOURCE

SENTENCE = re.compile(r'"[A-Z][^\n]+\."')


def test_everything_is_formatted(terraform):
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.fixture
def variables():
    return labelled(read_folder(SOURCE), "variable")


def not_sentences(texts):
    """Return what is no whole sentence, by name."""
    return {name: text for name, text in texts.items() if not SENTENCE.fullmatch(text)}


def test_a_variable_says_its_type_and_what_it_is_for(variables):
    assert [name for name, one in variables.items() if not one["type"]] == []
    assert not_sentences({name: one["description"] for name, one in variables.items()}) == {}


def test_a_validation_complains_in_whole_sentences(variables):
    complaints = {
        (name, number): validation["error_message"]
        for name, one in variables.items()
        for number, validation in enumerate(one.get("validation", ()))
    }

    assert not_sentences(complaints) == {}
    assert len(complaints) > 10


def test_an_output_says_what_it_is():
    outputs = labelled(read_folder(SOURCE), "output")

    assert not_sentences({name: one["description"] for name, one in outputs.items()}) == {}


def test_the_example_names_only_variables_that_there_are(variables):
    example = (SOURCE / "terraform.tfvars.example").read_text()
    named = set(re.findall(r"^([a-z_]+) += ", example, re.MULTILINE))
    named |= set(re.findall(r"TF_VAR_([a-z_]+)", example))

    required = {name for name, variable in variables.items() if "default" not in variable}
    assert required <= named <= variables.keys()
