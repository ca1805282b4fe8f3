"""How the console is served: headers, caching, weight, and nothing that the policy would refuse."""

import gzip
import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.test import EnvironBuilder

from relay.assembly import CreatePolicy
from relay.edges.console import SERVED, SOURCE, Console
from tests.console.conftest import serve

MAX_BYTES = 60_000
MODULES = sorted(
    path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.suffix == ".js"
)
IMPORT = re.compile(r"""(?:^|[;}\s])(?:import|export)[^;"']*["']([^"']+\.js)["']""")
ZIPPED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def client(world, monkeypatch):
    site = serve(world, monkeypatch)
    yield site.application.test_client()
    site.close()


class Addresses(HTMLParser):
    """Every address in the page, and what the policy would refuse."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.inline = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in ("href", "src") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def addresses(client):
    found = Addresses(client.get("/console").text).found
    return [urljoin("http://localhost/console", one) for one in found]


def test_the_page_needs_no_key_and_is_checked_again_each_time(client):
    answer = client.get("/console")

    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get("/console", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_policy_allows_nothing_but_our_own_and_pictures(client):
    headers = client.get("/console").headers

    policy = dict(one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' blob: https:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "lit-html",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("local_urls", "sources"),
    [
        (False, "'self' blob: https:"),
        (True, "'self' blob: https: http:"),
        (
            frozenset({"localhost", "127.0.0.1"}),
            "'self' blob: https: http://127.0.0.1:* http://localhost:*",
        ),
    ],
    ids=["deployed", "all local", "some local"],
)
def test_pictures_of_local_hosts_are_allowed_where_such_urls_are(
    world, client, monkeypatch, local_urls, sources
):
    policy = CreatePolicy(accounts=("gepetto",), allow_local_urls=local_urls)
    api = world.relay.api(
        policy,
        limits={},
        tenants={},
        threads=8,
        downloads=world.downloads,
        callback_keys=(),
    )
    monkeypatch.setattr("relay.bootstrap.jobs_api", lambda: api)

    allowed = client.get("/console").headers["Content-Security-Policy"]

    assert f"; img-src {sources};" in allowed


def test_the_page_has_nothing_inline_and_no_address_outside(client):
    page = Addresses(client.get("/console").text)

    assert page.inline == []
    assert page.found
    assert [one for one in page.found if not one.startswith("console/")] == []


def test_assets_are_immutable_under_the_digest_of_all_of_them(client):
    for address in addresses(client):
        answer = client.get(urlsplit(address).path)

        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Vary"] == "Accept-Encoding"


def test_assets_are_sent_zipped_to_who_takes_that(client):
    for address in addresses(client):
        path = urlsplit(address).path
        plain, zipped = client.get(path), client.get(path, headers=ZIPPED)

        assert "Content-Encoding" not in plain.headers
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(zipped.data) == plain.data


@pytest.mark.parametrize(
    "path",
    [
        "/console/",
        "/console/{digest}/nothing.js",
        "/console/{digest}/index.html",
        "/console/{digest}/vendor/lit-html/LICENSE",
        "/console/{digest}/../../main.py",
        "/console/{digest}/%2e%2e/edges/api.py",
        "/console/0000000000000000/app.js",
    ],
)
def test_nothing_else_is_served(client, path):
    digest = urlsplit(addresses(client)[0]).path.split("/")[2]

    answer = client.get(path.format(digest=digest))

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_the_page_works_below_the_path_of_a_function(client):
    page = Addresses(client.get("/console").text)

    joined = urljoin("https://europe-west1-x.cloudfunctions.net/jobs_api/console", page.found[0])

    assert urlsplit(joined).path.startswith("/jobs_api/console/")


def test_every_module_is_loaded_at_once_and_none_is_missing(client):
    listed = {address.split("/", 5)[5] for address in addresses(client)}

    imported = {
        urljoin(name, target)
        for name in MODULES
        for target in IMPORT.findall((SOURCE / name).read_text())
    }

    assert imported <= set(MODULES)
    assert {name for name in listed if name.endswith(".js")} == set(MODULES)


def test_the_console_weighs_little(client):
    paths = ["/console", *{urlsplit(address).path for address in addresses(client)}]

    weight = sum(len(client.get(path, headers=ZIPPED).data) for path in paths)

    assert weight <= MAX_BYTES


def test_our_docs_stay_here_and_the_librarys_licence_goes_along(client):
    sent = {
        urlsplit(one).path.split("/", 3)[3]: client.get(urlsplit(one).path).text
        for one in addresses(client)
    }

    assert "@param" in (SOURCE / "job.js").read_text()
    assert "@param" not in sent["job.js"]
    assert "SPDX-License-Identifier: BSD-3-Clause" in sent["vendor/lit-html/lit-html.js"]


def test_another_version_has_another_address(client, monkeypatch, tmp_path):
    for path in SOURCE.rglob("*"):
        if path.suffix in SERVED:
            copy = tmp_path / path.relative_to(SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "texts.js").write_text((tmp_path / "texts.js").read_text() + "\n")
    before = client.get("/console")
    monkeypatch.setattr("relay.edges.console.SOURCE", tmp_path)

    changed = Console(local_urls=False).page(EnvironBuilder("/console").get_request())

    assert changed.headers["ETag"] != before.headers["ETag"]
    assert changed.get_data() != before.data


def test_the_library_comes_with_its_licence():
    vendored = SOURCE / "vendor" / "lit-html"

    assert "BSD 3-Clause" in (vendored / "LICENSE").read_text()
    assert re.fullmatch(r"lit-html 3\.\d+\.\d+\n", (vendored / "VERSION").read_text())
