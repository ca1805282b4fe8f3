"""Mutants: small faults within one statement, which of them are tried, and which are known."""

import ast
import random
import re
import subprocess
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path

RELAY = "functions/relay"
LAYERS = ("domain", "application", "edges")
# In place of a line of which nothing is left.
REMOVED = "(removed)"

_COMPARISONS = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: (r"\bis\b", ("is not",)),
    ast.IsNot: (r"\bis\s+not\b", ("is",)),
    ast.In: (r"\bin\b", ("not in",)),
    ast.NotIn: (r"\bnot\s+in\b", ("in",)),
}
_ARITHMETIC = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}

Key = tuple[str, str, str]
_Placed = ast.expr | ast.stmt | ast.keyword
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A fault in a module.

    Attributes:
        path: The module, relative to the root of the project.
        line: The first line that differs.
        old: The lines that differ, joined into one.
        new: What they become.
        source: The whole module with the fault in it.
    """

    path: str
    line: int
    old: str
    new: str
    source: str

    @property
    def key(self) -> Key:
        """What identifies the mutant when its line moves."""
        return self.path, self.old, self.new


def mutants_of(path: str, source: str, *, required: frozenset[str]) -> list[Mutant]:
    """Return all mutants of a module that are valid Python.

    Args:
        required: Parameters without a default; dropping their arguments proves nothing.
    """
    text, found = _Text(source), set()
    for node in _mutable(ast.parse(source)):
        for (start, end), replacement in _edits(node, text, required):
            before, gone, after = text.cut(start, end)
            mutated = before + replacement + after
            if not _is_python(mutated):
                continue
            head, tail = before.rpartition("\n")[2], after.partition("\n")[0]
            new = one_line(head + replacement + tail) or REMOVED
            line = before.count("\n") + 1
            found.add(Mutant(path, line, one_line(head + gone + tail), new, mutated))
    return sorted(found)


def required_names(source: str) -> set[str]:
    """Return a module's parameters and fields that have no default."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(args=args):
                places = [*args.posonlyargs, *args.args]
                found |= {one.arg for one in places[: len(places) - len(args.defaults)]}
                named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
                found |= {one.arg for one, default in named if default is None}
            case ast.AnnAssign(target=ast.Name(id=name), value=None):
                found.add(name)
    return found


def one_line(text: str) -> str:
    """Return a text with each run of white space as one space."""
    return " ".join(text.split())


class _Text:
    """A module's source, addressed in bytes as in its syntax tree."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()
        self._lines = [0, *(at.end() for at in re.finditer(b"\n", self._bytes))]

    def span(self, node: _Placed) -> _Span:
        end_line = node.end_lineno or node.lineno
        start = self._lines[node.lineno - 1] + node.col_offset
        return start, self._lines[end_line - 1] + (node.end_col_offset or 0)

    def find(self, pattern: str, start: int, end: int | None = None) -> Iterator[_Span]:
        end = len(self._bytes) if end is None else end
        if found := re.compile(pattern.encode()).search(self._bytes, start, end):
            yield found.span()

    def between(self, left: _Placed, right: _Placed, pattern: str) -> Iterator[_Span]:
        return self.find(pattern, self.span(left)[1], self.span(right)[0])

    def cut(self, start: int, end: int) -> tuple[str, str, str]:
        parts = self._bytes[:start], self._bytes[start:end], self._bytes[end:]
        return parts[0].decode(), parts[1].decode(), parts[2].decode()


def _mutable(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and those below it, except annotations, decorators, texts and logging."""
    children: Iterable[ast.AST | None] = ast.iter_child_nodes(node)
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logging")))):
            return
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))) | ast.keyword(arg="strict"):
            return  # they fail only after a mistake that type checks or tests show anyway
        case ast.JoinedStr():  # its parts have no usable position before Python 3.12
            return
        case ast.FunctionDef(args=args):
            children = [*args.defaults, *args.kw_defaults, *node.body]
        case ast.Compare():
            children = [one for one in children if isinstance(one, ast.expr) and not _is_none(one)]
        case ast.ClassDef():
            children = node.body
        case ast.AnnAssign():
            children = [node.value]
    yield node
    for child in children:
        if child is not None:
            yield from _mutable(child)


def _edits(node: ast.AST, text: _Text, required: frozenset[str]) -> Iterator[tuple[_Span, str]]:
    """Yield the faults that one node allows: what to replace, and with what."""
    match node:
        case ast.Return(value=ast.Constant(value=None | False)):
            return  # None instead of False would change nothing for most callers
        case ast.Return(value=ast.expr()):
            yield text.span(node), "return None"
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete() | ast.Return(value=None):
            yield text.span(node), "pass"
        case ast.Break() | ast.Continue():
            yield text.span(node), "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield text.span(node), "pass"
        case ast.If(test=test) | ast.IfExp(test=test):
            yield from _negations([test], text)
        case ast.comprehension(ifs=tests):
            yield from _negations(tests, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield (text.span(node)[0], text.span(operand)[0]), ""
        case ast.Compare(ops=ops, comparators=comparators):
            for left, op, right in zip([node.left, *comparators], ops, comparators, strict=False):
                pattern, others = _COMPARISONS[type(op)]
                yield from (
                    (at, new) for at in text.between(left, right, pattern) for new in others
                )
        case ast.BoolOp(values=values):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in pairwise(values):
                yield from ((at, new) for at in text.between(left, right, rf"\b{old}\b"))
            for dropped in values:
                rest = [f"({ast.unparse(one)})" for one in values if one is not dropped]
                yield text.span(node), f" {old} ".join(rest)
        case ast.BinOp(left=left, right=right, op=op):
            if type(op) in _ARITHMETIC and not (_is_text(left) or _is_text(right)):
                pattern, new = _ARITHMETIC[type(op)]
                yield from ((at, new) for at in text.between(left, right, pattern))
        case ast.Call(func=ast.Name(id=name)) if name in _OPPOSITES:
            yield text.span(node.func), _OPPOSITES[name]
        case ast.Constant(value=value) if value is None or isinstance(value, int | float):
            yield from ((text.span(node), new) for new in _other_constants(value))
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        pattern, new = _ARITHMETIC[type(node.op)]
        yield from ((at, new) for at in text.between(node.target, node.value, pattern))
    if isinstance(node, ast.Call):
        is_replace = isinstance(node.func, ast.Name) and node.func.id == "replace"
        for keyword in node.keywords:
            if keyword.arg not in (None, "strict") and (is_replace or keyword.arg not in required):
                start, end = text.span(keyword)
                yield from (((start, comma[1]), "") for comma in text.find(" *,? *", end))


def _negations(tests: list[ast.expr], text: _Text) -> Iterator[tuple[_Span, str]]:
    for test in tests:
        if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield text.span(test), f"not ({ast.unparse(test)})"


def _other_constants(value: float | None) -> list[str]:
    if isinstance(value, bool):
        return [str(not value)]
    if isinstance(value, int):
        return [str(value + 1), str(value - 1)]
    return [str(value * 2 or 1.0), str(value / 2 or -1.0)] if value is not None else ["object()"]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_python(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "mutant", "exec", dont_inherit=True)
        except SyntaxError:
            return False
    return True


def all_mutants(root: Path, *, only: Sequence[str]) -> list[Mutant]:
    """Return the mutants of all modules, or of those that match one of the patterns."""
    paths = [path for layer in LAYERS for path in sorted((root / RELAY / layer).rglob("*.py"))]
    sources = sorted((root / RELAY).rglob("*.py"))
    required = frozenset().union(*(required_names(path.read_text()) for path in sources))
    return [
        mutant
        for path in paths
        if not only or any(path.match(pattern) for pattern in only)
        for mutant in mutants_of(str(path.relative_to(root)), path.read_text(), required=required)
    ]


def draw(mutants: Iterable[Mutant], *, count: int, seed: int) -> list[Mutant]:
    """Draw a sample, the same for the same seed.

    Every line is equally likely, however many mutants it has, and no line has a second one in
    the sample before every line has one.
    """
    rng = random.Random(seed)
    lines: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in sorted(mutants):
        lines.setdefault((mutant.path, mutant.line), []).append(mutant)
    shuffled = [rng.sample(line, len(line)) for line in lines.values()]
    rng.shuffle(shuffled)
    rounds = zip_longest(*shuffled)
    return [mutant for one in rounds for mutant in one if mutant is not None][:count]


def changed_lines(root: Path, *, base: str) -> set[tuple[str, int]]:
    """Return the path and number of each line that changed since a revision."""
    changed = set()
    path = ""
    for line in _git(root, "diff", "-U0", "--no-prefix", "--no-ext-diff", base, "--", RELAY):
        if line.startswith("+++ "):
            path = line.removeprefix("+++ ")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, length = int(hunk[1]), int(hunk[2] or 1)
            changed |= {(path, number) for number in range(first, first + length)}
    for path in _git(root, "ls-files", "--others", "--exclude-standard", "--", RELAY):
        length = len((root / path).read_text().splitlines())
        changed |= {(path, number) for number in range(1, length + 1)}
    return changed


def project_files(root: Path) -> list[str]:
    """Return the project's files, including those that are not committed yet."""
    listed = _git(root, "ls-files", "--cached", "--others", "--exclude-standard")
    return [path for path in listed if (root / path).is_file()]


def read_equivalents(text: str) -> dict[Key, str]:
    """Read the list of equivalent mutants, with the reason for each.

    Raises:
        ValueError: An entry is not a path, `- old`, `+ new` and a reason.
    """
    known = {}
    for entry in re.split(r"\n\s*\n", text.strip()):
        lines = [line for line in entry.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4 or lines[1][:2] != "- " or lines[2][:2] != "+ ":
            raise ValueError(f"not a path, '- old', '+ new' and a reason:\n{entry}")
        path, old, new, *reason = lines
        known[path.strip(), one_line(old[2:]), one_line(new[2:])] = one_line(" ".join(reason))
    return known


def _git(root: Path, *args: str) -> list[str]:
    command = ("git", "-C", str(root), *args)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
