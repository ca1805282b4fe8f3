"""What `python -m infra` lists."""

from importlib.util import find_spec
from pathlib import Path

from infra.__main__ import TOOLS, main

INFRA = Path(__file__).parents[2] / "infra"


def test_every_tool_is_listed_in_a_line_of_its_own(capsys):
    main()

    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(listed) == len(TOOLS)
    modules = {name.removesuffix(" up") for name in TOOLS}
    assert all(find_spec(module) for module in modules)
    packages = {f"infra.{path.parent.name}" for path in INFRA.glob("*/__main__.py")}
    assert packages <= modules
