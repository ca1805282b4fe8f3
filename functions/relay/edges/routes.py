"""Which endpoint answers a method and a path, and which path a caller probably meant."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from relay.domain.spelling import nearest

Endpoint = Callable[..., Response]
_REST = "<path:"
# Ids are longer than any other part of a path, and comparing long paths takes time.
LONGEST_PART = 24
# A variable part of a path, as werkzeug writes it.
_VARIABLE = re.compile(r"<(?:\w+:)?\w*?(?P<name>[a-z]+)>")


class Routes:
    """The endpoints by method and path.

    A path has variables as in a rule of werkzeug: ``/v1/jobs/<job_id>``, where a variable takes one
    segment, or ``/console/<path:name>``, where the last one takes the rest. They are looked for
    one after another here, because werkzeug takes 1 ms of every cold start to compile one.

    Args:
        routes: Method, path and endpoint of each; HEAD is answered wherever GET is.

    Attributes:
        methods: The methods of every path.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Endpoint]]) -> None:
        self.methods: dict[str, set[str]] = {}
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        self._variable: dict[tuple[str, ...], dict[str, Endpoint]] = {}
        for method, path, endpoint in routes:
            served = {"GET", "HEAD"} if method == "GET" else {method}
            self.methods.setdefault(path, set()).update(served)
            if "<" in path:
                endpoints = self._variable.setdefault(tuple(path.split("/")), {})
            else:
                endpoints = self._fixed.setdefault(path, {})
            endpoints.update(dict.fromkeys(served, endpoint))

    def match(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint, and the values of the path's variables.

        Raises:
            NotFound: There is nothing at this path.
            MethodNotAllowed: There is, but not with this method; it names those that there are.
        """
        fixed = self._fixed.get(path)
        endpoints, values = self._at_variable(path) if fixed is None else (fixed, {})
        if method not in endpoints:
            raise MethodNotAllowed(valid_methods=sorted(endpoints))
        return endpoints[method], values

    def _at_variable(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]]:
        segments = path.split("/")
        for rule, endpoints in self._variable.items():
            values = _values(rule, segments)
            if values is not None:
                return endpoints, values
        raise NotFound


def _values(rule: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """Return the variables' values; None if the path is another."""
    if rule[-1].startswith(_REST):
        taken = len(rule) - 1
        segments = [*segments[:taken], "/".join(segments[taken:])]
    if len(segments) != len(rule):
        return None
    values = {}
    for part, segment in zip(rule, segments, strict=True):
        if part.startswith("<") and segment:
            values[part.removeprefix(_REST).strip("<>")] = segment
        elif part != segment:
            return None
    return values


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
