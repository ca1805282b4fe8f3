"""The page of licences is up to date, and no licence is on it that nobody has looked at."""

from importlib.metadata import Distribution, PathDistribution, distribution

import pytest

from infra.pins import licences
from infra.pins.licences import PAGE, NotListable, licence, page
from infra.pins.pin_files import DEPLOYED, ROOT, pinned


def test_the_page_lists_what_is_pinned_now():
    assert page() == PAGE.read_text(), "make pins ARGS=--keep"
    assert page().count("\n| ") == len(pinned(ROOT / DEPLOYED)) + 2


def installed(tmp_path, **said) -> Distribution:
    """Return an installed package whose metadata says this."""
    lines = [f"{name.replace('_', '-')}: {text}\n" for name, text in said.items()]
    (tmp_path / "METADATA").write_text("".join(lines))
    return PathDistribution(tmp_path)


@pytest.mark.parametrize(
    ("said", "listed"),
    [
        ({"License_Expression": "MIT", "License": "GPL"}, "MIT"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, "BSD"),
    ],
    ids=["expression", "field", "classifier"],
)
def test_the_most_exact_statement_counts(tmp_path, said, listed):
    assert licence(installed(tmp_path, Name="x", **said)) == listed


@pytest.mark.parametrize("said", [{"License": "AGPL-3.0"}, {}], ids=["unknown", "none"])
def test_a_licence_that_nobody_has_accepted_is_refused_with_its_package(tmp_path, said):
    with pytest.raises(NotListable, match="surprise"):
        licence(installed(tmp_path, Name="surprise", **said))


def test_a_package_that_is_installed_in_another_version_is_not_listed(monkeypatch):
    monkeypatch.setattr(licences, "pinned", lambda _: {"idna": "0.1"})

    with pytest.raises(NotListable, match=rf"idna {distribution('idna').version} is installed"):
        page()
