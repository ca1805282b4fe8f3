"""Image URLs: public and https, except on the local stack."""

import pytest

from relay.domain.catalogue import CATALOGUE, find_operation, input_schema
from relay.domain.job import Json
from relay.errors import InvalidRequest
from tests.payloads.inputs import sample_input

PRIVATE_HOSTS = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "foo.local",
    "metadata.google.internal",
    "metadata",
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "0",
    "0.0.0.0",  # noqa: S104
    "0177.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "0X7F.0.0.0x1",
    "2130706433",
    "2130706433.",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "255.255.255.255",
    "127\uff0e0\uff0e0\uff0e1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
    "[fd00::1]",
    "user@localhost",
    "example.com@127.0.0.1",
    "localhost:8080",
    "[::7f00:1]",
    "[2002:7f00:1::]",
    "224.0.0.1",
    "[ff0e::1]",
    "[::ffff:224.0.0.1]",
    "127.0.0.%31",
    "%6c%6fcalhost.",
]
NO_URLS = [
    "",
    "room.jpg",
    "//example.com/a.jpg",
    "ftp://example.com/a.jpg",
    "data:image/png;base64,AA",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///a.jpg",
    "https://[::1",
    "https://[nonsense]/a.jpg",
    "https://exa mple.com/a.jpg",
    "https://example.com/\n",
    "https://example.com/\x00",
    "https://example.com/\ud800",
    " https://example.com/a.jpg",
    "https://example.com:99999/a.jpg",
    "https://example.com:port/a.jpg",
    "https://127.0.0.1\\@example.com/a.jpg",
    "https://example.com/" + "a" * 2029,
    7,
    None,
    ["https://example.com/a.jpg"],
]


def check(url, *, allow_local_urls=False):
    given = {"url": url, "styleId": "modern", "roomId": "kitchen", "creativity": 1}
    find_operation("gepetto", "redesign").check(given, allow_local_urls=allow_local_urls)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg",
        "HTTPS://EXAMPLE.com:8443/a%20b.jpg?x=1#y",
        "https://8.8.8.8/a.jpg",
        "https://[2001:4860:4860::8888]/a.jpg",
        "https://localhost.example.com/a.jpg",
        "https://müller.example/ö.jpg",
        "https://example.com/" + "a" * 2028,
    ],
    ids=lambda one: one[:45],
)
def test_a_public_https_url_is_taken(url):
    check(url)


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_private_host_is_refused_in_every_spelling(host):
    with pytest.raises(InvalidRequest) as caught:
        check(f"https://{host}/a.jpg")

    assert caught.value.pointer == "/input/url"


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "sandbox"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_local_stack_may_take_its_own(scheme, host):
    check(f"{scheme}://{host}/a.jpg", allow_local_urls=True)


SANDBOX = frozenset({"127.0.0.1", "::1", "sandbox.internal"})


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "Sandbox.internal"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_hosts_that_are_named_may_be_local(scheme, host):
    check(f"{scheme}://{host}/a.jpg", allow_local_urls=SANDBOX)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.jpg",
        "http://127.0.0.2/a.jpg",
        "https://127.0.0.2/a.jpg",
        "https://localhost/a.jpg",
        "http://127.0.0.1.example.com/a.jpg",
        "http://127.0.0.1@example.com/a.jpg",
        "http://sandbox/a.jpg",
    ],
)
def test_beside_the_hosts_that_are_named_the_rules_are_those_of_production(url):
    with pytest.raises(InvalidRequest) as local:
        check(url, allow_local_urls=SANDBOX)
    with pytest.raises(InvalidRequest) as deployed:
        check(url)

    assert local.value.expected == deployed.value.expected
    check("https://example.com/a.jpg", allow_local_urls=SANDBOX)


def test_http_is_refused_elsewhere():
    with pytest.raises(InvalidRequest):
        check("http://example.com/a.jpg")


@pytest.mark.parametrize("allow_local_urls", [True, False], ids=["local", "deployed"])
@pytest.mark.parametrize("url", NO_URLS, ids=lambda one: repr(one)[:40])
def test_what_is_no_url_is_refused_everywhere(url, allow_local_urls):
    with pytest.raises(InvalidRequest) as caught:
        check(url, allow_local_urls=allow_local_urls)

    assert caught.value.pointer == "/input/url"


EVERY_IMAGE = [
    (facts.name, operation.name, name)
    for facts in CATALOGUE.values()
    for operation in facts.operations.values()
    for name, schema in input_schema(operation)["properties"].items()
    if "'format': 'uri'" in str(schema)
]


@pytest.mark.parametrize(("provider", "operation", "field"), EVERY_IMAGE)
def test_every_image_field_of_every_operation_is_checked(provider, operation, field):
    entry = find_operation(provider, operation)

    for wrong in ("http://example.com/a.jpg", "https://169.254.169.254/", "room.jpg", 7, None):
        with pytest.raises(InvalidRequest) as caught:
            entry.check(sample_input(provider, operation, **{field: wrong}), allow_local_urls=False)
        assert caught.value.pointer == f"/input/{field}"
    local = sample_input(provider, operation, **{field: "http://127.0.0.1:8080/room.jpg"})
    entry.check(local, allow_local_urls=True)


def test_these_are_the_image_fields():
    assert {name for _, _, name in EVERY_IMAGE} == {
        "url",
        "mask",
        "imageUrl",
        "styleUrl",
        "styleImageUrl",
        "productImageUrl",
    }


@pytest.mark.parametrize("provider", CATALOGUE)
def test_what_looks_like_an_image_in_a_raw_input_is_passed_on(provider):
    given: dict[str, Json] = {"url": "http://127.0.0.1/a.jpg", "imageUrl": 7}

    find_operation(provider, "raw").check(given, allow_local_urls=False)


@pytest.mark.parametrize(
    "host", ["127\u30020.0\u30021", "[64:ff9b::7f00:1]"], ids=["ideographic full stop", "NAT64"]
)
def test_a_private_host_in_a_spelling_that_others_translate_is_refused(host):
    with pytest.raises(InvalidRequest):
        check(f"https://{host}/a.jpg")
