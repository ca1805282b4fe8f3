"""Which endpoint answers a method and a path."""

from collections import defaultdict
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
        self.methods: dict[str, set[str]] = defaultdict(set)
        self._fixed: dict[tuple[str, str], Endpoint] = {}
        rules = []
        for method, path, endpoint in routes:
            served = {"GET", "HEAD"} if method == "GET" else {method}
            self.methods[path] |= served
            if "<" in path:
                rules.append(Rule(path, endpoint=endpoint, methods=served))
            else:
                self._fixed |= {(one, path): endpoint for one in served}
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
        if (endpoint := self._fixed.get((method, path))) is not None:
            return endpoint, {}
        if "<" not in path and path in self.methods:
            raise MethodNotAllowed(valid_methods=sorted(self.methods[path]))
        found: tuple[Endpoint, Mapping[str, str]] = self._matcher.match(path, method)
        return found
