"""Finds the path that a caller probably meant."""

import re
from collections.abc import Iterable

from relay.domain.spelling import nearest

# Ids are longer than any other part of a path, and comparing long paths takes time.
LONGEST_PART = 24
# A variable part of a path, as werkzeug writes it.
_VARIABLE = re.compile(r"<(?:\w+:)?\w*?(?P<name>[a-z]+)>")


def nearest_path(path: str, rules: Iterable[str]) -> str | None:
    """Return the known path most like one at which there is nothing, such as ``/v1/jobs/{id}``.

    Args:
        rules: The known paths, as werkzeug's rules.
    """
    given = [part[:LONGEST_PART] for part in path.split("/")]
    shown = {_filled(rule, given): _VARIABLE.sub(r"{\g<name>}", rule) for rule in rules}
    near = nearest("/".join(given), shown)
    return None if near is None else shown[near]


def _filled(rule: str, given: list[str]) -> str:
    """Return a rule with the parts of a given path in its variable places: they are not wrong."""
    parts = rule.split("/")
    if len(parts) != len(given):
        return rule
    return "/".join(
        there if there and _VARIABLE.fullmatch(part) else part
        for part, there in zip(parts, given, strict=True)
    )
