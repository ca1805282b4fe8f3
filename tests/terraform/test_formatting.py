"""Terraform's own formatting, and what this house wants of variables and skipped checks."""

import re
import subprocess

import pytest

from tests.terraform.hcl_files import labelled, read_folder
from tests.terraform.running import SOURCE

FILES = read_folder(SOURCE)
VARIABLES = labelled(FILES, "variable")
OUTPUTS = labelled(FILES, "output")
SENTENCE = re.compile(r'"[A-Z][^\n]+\."')


def test_everything_is_formatted(terraform):
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_says_its_type_and_what_it_is_for(name):
    variable = VARIABLES[name]

    assert variable["type"]
    assert SENTENCE.fullmatch(variable["description"])


@pytest.mark.parametrize("name", [name for name in VARIABLES if "validation" in VARIABLES[name]])
def test_a_validation_complains_in_whole_sentences(name):
    for validation in VARIABLES[name]["validation"]:
        assert SENTENCE.fullmatch(validation["error_message"])


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_says_what_it_is(name):
    assert SENTENCE.fullmatch(OUTPUTS[name]["description"])


def test_the_example_names_only_variables_that_there_are():
    example = (SOURCE / "terraform.tfvars.example").read_text()
    named = set(re.findall(r"^([a-z_]+) += ", example, re.MULTILINE))
    named |= set(re.findall(r"TF_VAR_([a-z_]+)", example))

    required = {name for name, variable in VARIABLES.items() if "default" not in variable}
    assert required <= named <= VARIABLES.keys()
