"""The command line: `python -m infra` lists the tools."""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent


def tools() -> Iterator[tuple[str, str]]:
    """Return the name of each package that can be run, and the first line of its docstring."""
    for file in sorted(FOLDER.glob("*/**/__main__.py")):
        name = ".".join(file.parent.relative_to(FOLDER.parent).parts)
        docstring = ast.get_docstring(ast.parse((file.parent / "__init__.py").read_text()))
        yield name, (docstring or "").partition("\n")[0]


def main() -> None:
    """Print each tool on a line of its own."""
    for name, purpose in tools():
        print(f"python -m {name:<20} {purpose}")


if __name__ == "__main__":
    main()
