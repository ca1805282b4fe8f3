"""Serves the console: one page that asks for a key, and its assets, which never change."""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import msgspec
from werkzeug.wrappers import Request, Response

from relay.domain.catalogue.fields import LocalUrls
from relay.edges.problems import not_found

SOURCE = Path(__file__).parents[1] / "console"
PAGE = "index.html"
VENDORED = "vendor"
SERVED = frozenset({".css", ".html", ".js", ".svg"})
# Stands in the page where the directory of the assets goes.
_PLACEHOLDER = b"{assets}"
# On lines of its own.
_DOCS = re.compile(rb"^[ \t]*/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*\n", re.MULTILINE)
_YEAR_S = 365 * 24 * 3600
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}


class _Asset(msgspec.Struct, frozen=True):
    body: bytes
    gzipped: bytes
    content_type: str


class Console:
    """Answers for the page and its assets; needs no key, as there is nothing secret in them.

    Args:
        local_urls: From where pictures may come beside ``https``.
    """

    def __init__(self, *, local_urls: LocalUrls) -> None:
        pictures = " ".join(["'self'", "blob:", "https:", *_local_sources(local_urls)])
        self._policy = "; ".join(
            [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "connect-src 'self'",
                f"img-src {pictures}",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types lit-html",
            ]
        )

    def page(self, request: Request) -> Response:
        """Return the page, which names the assets that belong to it."""
        answer = self._answer(request, self._page)
        answer.headers["Content-Security-Policy"] = self._policy
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-cache"
        # Weak: the zipped page is the same one in other bytes.
        answer.set_etag(hashlib.sha256(self._page.body).hexdigest()[:32], weak=True)
        return answer.make_conditional(request)

    def asset(self, request: Request, digest: str, name: str) -> Response:
        """Return an asset of this version of the console.

        Raises:
            HttpProblem: There is none, or it is another version's.
        """
        asset = self._assets.get(name) if digest == self._digest else None
        if asset is None:
            raise not_found("/console")
        answer = self._answer(request, asset)
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
        return answer

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        # Not before the first request for the page: most instances never get one.
        return {
            path.relative_to(SOURCE).as_posix(): _without_docs(path)
            for path in sorted(SOURCE.rglob("*"))
            if path.suffix in SERVED
        }

    @cached_property
    def _digest(self) -> str:
        whole = hashlib.sha256()
        for name, body in self._files.items():
            whole.update(f"{name}\0{len(body)}\0".encode() + body)
        return whole.hexdigest()[:16]

    @cached_property
    def _assets(self) -> Mapping[str, _Asset]:
        return {name: _asset(name, body) for name, body in self._files.items() if name != PAGE}

    @cached_property
    def _page(self) -> _Asset:
        # Relative, because the function's own path may stand before it.
        directory = f"console/{self._digest}".encode()
        return _asset(PAGE, self._files[PAGE].replace(_PLACEHOLDER, directory))

    def _answer(self, request: Request, asset: _Asset) -> Response:
        answer = Response(asset.body, content_type=asset.content_type)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings.quality("gzip"):
            answer.set_data(asset.gzipped)
            answer.headers["Content-Encoding"] = "gzip"
        return answer


def _without_docs(path: Path) -> bytes:
    """Return what is sent of a file: not our JSDoc, but the library's licence."""
    body = path.read_bytes()
    is_ours = path.suffix == ".js" and VENDORED not in path.parts
    return _DOCS.sub(b"", body) if is_ours else body


def _asset(name: str, body: bytes) -> _Asset:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.types_map[suffix]
    return _Asset(body, gzip.compress(body, mtime=0), f"{kind}; charset=utf-8")


def _local_sources(local_urls: LocalUrls) -> list[str]:
    if isinstance(local_urls, bool):
        return ["http:"] if local_urls else []
    return [f"http://{host}:*" for host in sorted(local_urls)]
