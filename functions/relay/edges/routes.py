"""Which endpoint answers a method and a path."""

from collections.abc import Callable, Iterable, Mapping

from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

Endpoint = Callable[..., Response]


class Routes:
    """The endpoints by method and path.

    A path with variables is a rule of werkzeug's, such as ``/v1/jobs/<job_id>``. Most have none and
    are looked up as they are: to compile a rule takes 0.2 ms of every cold start.

    Args:
        routes: Method, path and endpoint of each; HEAD is answered wherever GET is.

    Attributes:
        methods: The methods of every path.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Endpoint]]) -> None:
        self.methods: dict[str, set[str]] = {}
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        rules = []
        for method, path, endpoint in routes:
            served = {"GET", "HEAD"} if method == "GET" else {method}
            self.methods.setdefault(path, set()).update(served)
            if "<" in path:
                rules.append(Rule(path, endpoint=endpoint, methods=served))
            else:
                self._fixed.setdefault(path, {}).update(dict.fromkeys(served, endpoint))
        # Our callers don't follow redirects, so no path is tidied up by one.
        compiled = Map(rules, strict_slashes=True, merge_slashes=False, redirect_defaults=False)
        # Bound once: no rule depends on the host.
        self._matcher = compiled.bind("")

    def match(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint, and the values of the path's variables.

        Raises:
            NotFound: There is nothing at this path.
            MethodNotAllowed: There is, but not with this method; it names those that there are.
        """
        fixed = self._fixed.get(path)
        if fixed is None:
            found: tuple[Endpoint, Mapping[str, str]] = self._matcher.match(path, method)
            return found
        if method not in fixed:
            raise MethodNotAllowed(valid_methods=sorted(fixed))
        return fixed[method], {}
