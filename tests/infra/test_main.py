"""What `python -m infra` lists."""

from pathlib import Path

from infra.__main__ import TOOLS, main

INFRA = Path(__file__).parents[2] / "infra"


def test_every_tool_is_listed_in_a_line_of_its_own(capsys):
    main()

    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(listed) == len(TOOLS)
    packages = {
        ".".join(("infra", *path.parent.relative_to(INFRA).parts))
        for path in INFRA.rglob("*/__main__.py")
    }
    assert {name.removesuffix(" up") for name in TOOLS} == packages
