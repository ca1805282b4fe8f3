"""Whatever cites a page, a section, a file or a function cites one that is there."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.faults import only_faulty

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("docs", "functions", "infra", "terraform", "tests", ".ci")
SUFFIXES = {".py", ".md", ".tf", ".json", ".yaml", ".toml", ".example", ""}
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
# Files of somebody else's, or that a reader makes.
NOT_OURS = {"cancel_all.py", "publisher/client.py", "redeliver.py"}
PROVIDERS = ("gepetto", "spacely")

LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]*))?\)")
NAMED_FILE = re.compile(r"`([\w./-]+\.py|[\w.-]+/[\w./-]+\.(?:md|tf|yaml|json))`")
DOCS_FILE = re.compile(r"(?<![\w/.-])docs/[\w/.-]*\w")
DECISION = re.compile(r"(?<![\w.])(0\d{3})(?![\w.])")
CONTRACT = re.compile(r"contract, (section|decision) (\w+)", re.IGNORECASE)
NUMBERS = r"\d+(?:\.\d+)?(?:(?:,| and) \d+(?:\.\d+)?)*"
PAGE = re.compile(rf"(?<!\w)(gepetto|spacely|platform)\.md,? ({NUMBERS})(?: rows? ({NUMBERS}))?")
OLD_STYLE = re.compile(r"\bdesign(?:\.md)?,? (?:\d|decision \d)|\bcloud-functions\.md")
STEP = re.compile(r"`([\w/]+\.py)` · `([\w.]+)`")
HEADING = re.compile(r"#+ (.+)")


def files() -> list[Path]:
    """Return every file of ours that may cite something."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
        and path.suffix in SUFFIXES
        and not {"__pycache__", "asyncapi", ".terraform", ".build"} & set(path.parts)
        and path != Path(__file__)
    ] + [ROOT / "Makefile", ROOT / "pyproject.toml", *sorted(ROOT.glob("*.md"))]


FILES = files()
NAMES = [f"/{path.relative_to(ROOT)}" for path in FILES]


def prose(text: str) -> str:
    """Return the text on one line, without the marks of comments and of fenced blocks."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for line in re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S).splitlines():
        if title := HEADING.fullmatch(line):
            slug = re.sub(r"[^\w\- ]", "", title[1].lower()).replace(" ", "-")
            count = sum(one == slug or one.startswith(f"{slug}-") for one in found)
            found.add(f"{slug}-{count}" if slug in found else slug)
    return found


@cache
def sections(page: Path) -> dict[str, str]:
    """Return the text of each numbered section, by its number."""
    parts = re.split(r"^#+ (\d+(?:\.\d+)?[a-z]?)\.? .*$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@cache
def definitions(path: Path) -> set[str]:
    """Return the functions, classes and methods of a file, methods as ``Class.method``."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)
            }
    return found


def is_there(name: str) -> bool:
    return any(one.endswith(f"/{name}") for one in NAMES)


def broken_links(text: str, at: Path) -> Iterator[str]:
    for target, anchor in LINK.findall(prose(text)):
        page = (at.parent / target).resolve() if target else at
        if not page.exists() or (anchor and anchor not in anchors(page)):
            yield f"{target}#{anchor}"


def broken_names(text: str) -> Iterator[str]:
    """Find files that a page names and that are not there."""
    for name in NAMED_FILE.findall(prose(text)):
        if name not in NOT_OURS and not name.startswith(".local/") and not is_there(name):
            yield name


def broken_steps(text: str) -> Iterator[str]:
    """Find functions that a page names with their file and that are not in it."""
    for name, function in STEP.findall(prose(text)):
        found = [path for path, one in zip(FILES, NAMES, strict=True) if one.endswith(f"/{name}")]
        if not any(function in definitions(path) for path in found):
            yield f"{name} · {function}"


def broken_citations(text: str) -> Iterator[str]:
    one_line = re.sub(r"\s*\n\s*(?:# )?", " ", text)
    for name in DOCS_FILE.findall(one_line):
        if not (ROOT / name).exists() and not list(ROOT.glob(f"{name}-*.md")):
            yield name
    contract = sections(DOCS / "contract.md")
    for kind, number in CONTRACT.findall(one_line):
        known = number in contract if kind.lower() == "section" else is_decision(number)
        if not known:
            yield f"contract, {kind} {number}"
    for page, numbers, rows in PAGE.findall(one_line):
        folder = DOCS / "providers" if page in PROVIDERS else DOCS
        known_sections = sections(folder / f"{page}.md")
        wanted = re.findall(r"[\d.]+", numbers)
        yield from (f"{page}.md {one}" for one in wanted if one not in known_sections)
        table = known_sections.get(wanted[-1], "")
        for row in re.findall(r"\d+", rows):
            if f"\n| {row} |" not in table:
                yield f"{page}.md {wanted[-1]} row {row}"
    yield from (f"{one}: say which page" for one in OLD_STYLE.findall(one_line))


def is_decision(number: str) -> bool:
    shape = sections(DOCS / "contract.md")["1"]
    return re.search(rf"^{number}\. \*\*", shape, re.MULTILINE) is not None


def broken_decisions(text: str) -> Iterator[str]:
    for number in DECISION.findall(prose(text)):
        if not list((DOCS / "decisions").glob(f"{number}-*.md")):
            yield number


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def broken_in(pages: Iterable[Path], broken: Callable[[Path], Iterable[str]]) -> object:
    """Return what is broken, by page."""
    return only_faulty({named(page): broken(page) for page in pages})


def test_every_citation_leads_somewhere():
    assert broken_in(FILES, lambda path: broken_citations(path.read_text())) == {}


def test_every_link_of_a_page_leads_somewhere():
    assert broken_in(PAGES, lambda page: broken_links(page.read_text(), page)) == {}


def test_every_file_that_a_page_names_is_there():
    assert broken_in(PAGES, lambda page: broken_names(page.read_text())) == {}


def test_every_decision_that_a_decision_cites_was_taken():
    decisions = (DOCS / "decisions").glob("*.md")

    assert broken_in(decisions, lambda page: broken_decisions(page.read_text())) == {}


def test_the_routes_pass_functions_that_are_there():
    text = (DOCS / "architecture.md").read_text()

    assert len(STEP.findall(prose(text))) > 40
    assert list(broken_steps(text)) == []


def test_every_decision_is_listed_for_newcomers():
    listed = set(re.findall(r"decisions/(\d{4})-", (DOCS / "architecture.md").read_text()))

    assert listed == {path.name[:4] for path in (DOCS / "decisions").glob("*.md")}


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("See contract, section 2 and contract, decision 5.", []),
        ("See contract,\n    # section 99.", ["contract, section 99"]),
        ("(contract, decision 6)", ["contract, decision 6"]),
        ("gepetto.md 3 and 12 rows 10, 13; spacely.md, 2", []),
        ("gepetto.md 3 and 12 rows 10, 99", ["gepetto.md 12 row 99"]),
        ("spacely.md 77", ["spacely.md 77"]),
        ("platform.md 3, then platform.md 30", ["platform.md 30"]),
        ("docs/decisions/0007 and docs/decisions/0999", ["docs/decisions/0999"]),
        ("docs/nothing.md.", ["docs/nothing.md"]),
        ("see design" + " 2", ["design" + " 2: say which page"]),
    ],
)
def test_a_citation_of_what_is_not_there_is_found(text, broken):
    assert list(broken_citations(text)) == broken


def test_a_link_a_name_and_a_step_that_lead_nowhere_are_found():
    text = "[a](nowhere.md) [b](contract.md#nothing) `domain/nothing.py` `domain/job.py` · `Nobody`"

    assert list(broken_links(text, DOCS / "here.md")) == ["nowhere.md#", "contract.md#nothing"]
    assert list(broken_names(text)) == ["domain/nothing.py"]
    assert list(broken_steps(text)) == ["domain/job.py · Nobody"]
    assert list(broken_decisions("0001, not 0999")) == ["0999"]
