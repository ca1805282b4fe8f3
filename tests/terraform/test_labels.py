"""What the resources that an apply makes are labelled with."""

from relay import __version__
from tests.terraform.state import FUNCTIONS, of_type


def test_the_functions_are_labelled_with_the_version(applied):
    functions = of_type(applied.resources(), "google_cloudfunctions2_function").values()

    assert [one["labels"] for one in functions] == [
        {"version": __version__.replace(".", "-")} for _ in FUNCTIONS
    ]
