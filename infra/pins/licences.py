"""The command line: `python -m infra.pins.licences` writes docs/licences.md.

It lists the licence of every package that is deployed, as the package's metadata states it.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from infra.pins.pin_files import DEPLOYED, ROOT, pinned

PAGE = ROOT / "docs" / "licences.md"
# Any other word has to be looked at by a person before it is added.
ACCEPTED = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "MIT-0": "MIT-0",
    "Apache-2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "https://www.apache.org/licenses/LICENSE-2.0": "Apache-2.0",
    "BSD": "BSD",
    "BSD License": "BSD",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache-2.0 OR BSD-2-Clause": "Apache-2.0 OR BSD-2-Clause",
    "Apache-2.0 OR BSD-3-Clause": "Apache-2.0 OR BSD-3-Clause",
    "PSF-2.0": "PSF-2.0",
    "MPL-2.0": "MPL-2.0",
}
HEAD = f"""# Licences of what is deployed

Written by `make pins` from the metadata of the packages that `{DEPLOYED}` pins. The build
installs them as their authors publish them, unchanged. `BSD` stands where the metadata does not say
which of its forms; the licence's text does. The relay's own licence is [LICENSE](../LICENSE).

| package | version | licence |
| --- | --- | --- |
"""


class NotListable(Exception):
    """The page cannot be written; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One deployed package; *licence* is an SPDX expression, or ``BSD``."""

    name: str
    version: str
    licence: str


def main() -> int:
    """Write the page."""
    try:
        PAGE.write_text(page())
    except NotListable as error:
        print(f"{PAGE.name} is left as it was: {error}", file=sys.stderr)
        return 1
    return 0


def page() -> str:
    """Return the page for what is pinned now.

    Raises:
        NotListable: A pinned package is not installed, or not under a licence that is accepted.
    """
    rows = [f"| {one.name} | {one.version} | {one.licence} |\n" for one in packages()]
    return HEAD + "".join(rows)


def packages() -> Iterator[Package]:
    """Yield what is deployed, by name; raises as `page`."""
    for name, version in sorted(pinned(ROOT / DEPLOYED).items()):
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise NotListable(f"{name} is not installed: make setup") from None
        if installed.version != version:
            raise NotListable(f"{name} {installed.version} is installed, not {version}: make setup")
        yield Package(name=name, version=version, licence=licence(installed))


def licence(installed: Distribution) -> str:
    """Return a package's licence; raise `NotListable` if it is not accepted."""
    said = installed.metadata
    classifiers = (one.rpartition(" :: ") for one in said.get_all("Classifier", []))
    words = (
        said["License-Expression"],
        said["License"],
        *(last for group, _, last in classifiers if group.startswith("License")),
    )
    stated = next((one.strip() for one in words if one), "no licence")
    if stated not in ACCEPTED:
        raise NotListable(f"{said['Name']} is under {stated[:60]!r}, which nobody has accepted yet")
    return ACCEPTED[stated]


if __name__ == "__main__":
    sys.exit(main())
