"""Renews the console's copy of lit-html from what npm has installed: `make console-library`.

The version stands in tests/clients/package.json, its digest in package-lock.json.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from tests.clients.tools import INSTALLED, ROOT

PACKAGE: Final = INSTALLED / "node_modules" / "lit-html"
TARGET: Final = ROOT / "functions" / "relay" / "console" / "vendor" / "lit-html"
MODULES: Final = ("lit-html.js", "directive.js", "directive-helpers.js", "directives/repeat.js")
# They name files that are not served.
_SOURCE_MAP = re.compile(rb"//# sourceMappingURL=.*\n?")


def library() -> Mapping[str, bytes]:
    """Return the files that the console needs of the installed package, by their path."""
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    modules = {name: (PACKAGE / name).read_bytes() for name in MODULES}
    return {
        **{name: _SOURCE_MAP.sub(b"", body) for name, body in modules.items()},
        "LICENSE": (PACKAGE / "LICENSE").read_bytes(),
        "VERSION": f"lit-html {version}\n".encode(),
    }


def renew() -> None:
    """Write the files over those that are there."""
    for name, body in library().items():
        path = TARGET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


if __name__ == "__main__":
    renew()
