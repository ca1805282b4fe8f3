"""What providers' answers mean: fixed cases, and any JSON at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.answers import (
    FAILURE_WORDS,
    Rendered,
    RenderFailed,
    StillOpen,
    WithoutOutput,
    read_status,
    status_word,
    usable_id,
    usable_outputs,
)
from relay.domain.job import ProviderReply
from tests.factories import OUTPUT
from tests.payloads.arbitrary import JSON

OPEN_WORDS = frozenset({"pending", "created"})


def read(word, outputs=None):
    return read_status(
        word=word, outputs=outputs, open_words=OPEN_WORDS, why=lambda: "out of memory"
    )


@pytest.mark.parametrize("word", ["success", "SUCCESS", " Success\n"])
def test_success_with_a_usable_output_is_a_result(word):
    assert read(word, [OUTPUT]) == Rendered(outputs=(OUTPUT,), provider_status=word)


@pytest.mark.parametrize("outputs", [None, [], "", ["ftp://a.b"], {"url": OUTPUT}, 7])
def test_success_without_a_usable_output_is_none(outputs):
    assert read("success", outputs) == WithoutOutput(provider_status="success")


@pytest.mark.parametrize("word", sorted(FAILURE_WORDS))
def test_a_word_of_failure_is_believed_whatever_else_is_there(word):
    reply = ProviderReply(status=200, message="out of memory")

    assert read(word.upper(), [OUTPUT]) == RenderFailed(provider_status=word.upper(), reply=reply)


@pytest.mark.parametrize(
    ("word", "is_known"),
    [("pending", True), ("Created", True), ("done", False), ("completed", False), ("", False)],
)
def test_any_other_word_keeps_the_job_open(word, is_known):
    assert read(word, [OUTPUT]) == StillOpen(provider_status=word, is_known_word=is_known)


@pytest.mark.parametrize("word", [None, 7, True, [], {}])
def test_what_is_no_word_keeps_the_job_open(word):
    assert read(word) == StillOpen(provider_status="", is_known_word=False)


def test_a_very_long_word_is_cut():
    assert status_word("a" * 10_000) == "a" * 200


@pytest.mark.parametrize(
    ("given", "usable"),
    [
        (OUTPUT, (OUTPUT,)),
        ([OUTPUT, "http://a.b/c"], (OUTPUT, "http://a.b/c")),
        ([None, OUTPUT, 7, ["https://a.b"], ""], (OUTPUT,)),
        (["/relative.png", "//a.b/c", "https://", "data:image/png;base64,AA", "HTTPS://A.b/c"],
         ("HTTPS://A.b/c",)),
        (["https://a.b/c d", "https://a.b/\n", "https://a.b/\u00a0", "https://[::1"], ()),
        (["https://a.b/\ud800", "https://a.b/\x00"], ()),
        ("https://a.b/" + "c" * 2036, ("https://a.b/" + "c" * 2036,)),
        ("https://a.b/" + "c" * 2037, ()),
        ({"url": OUTPUT}, ()),
        (None, ()),
    ],
)  # fmt: skip
def test_usable_are_urls_of_http_with_a_host_that_fit(given, usable):
    assert usable_outputs(given) == usable


def test_no_more_outputs_are_kept_than_fit_a_document():
    assert len(usable_outputs([f"https://a.b/{number}" for number in range(1000)])) == 100


@pytest.mark.parametrize(
    ("value", "id"),
    [
        ("6512f0aa", "6512f0aa"),
        (7, "7"),
        ("a" * 500, "a" * 500),
        ("a" * 501, None),
        ("", None),
        ("  ", None),
        ("a\nb", None),
        ("\ud800", None),
        (True, None),
        (1.5, None),
        (None, None),
        ({}, None),
    ],
)
def test_an_id_is_a_printable_text_or_a_whole_number(value, id):
    assert usable_id(value) == id


@pytest.mark.parametrize(
    "value", [2**64, -(2**64), 10**4999], ids=["2**64", "-2**64", "5000 digits"]
)
def test_an_integer_of_more_than_64_bits_is_no_id(value):
    assert usable_id(value) is None
    assert usable_id(2**64 - 1) == "18446744073709551615"


@given(JSON, JSON)
def test_any_json_has_a_meaning_that_fits_a_document(word, outputs):
    reading = read(word, outputs)

    assert len(reading.provider_status or "") <= 200
    if isinstance(reading, Rendered):
        assert reading.outputs


@given(JSON | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_whatever_is_usable_is_a_url_that_can_be_stored(value):
    for url in usable_outputs(value):
        assert url.lower().startswith(("http://", "https://"))
        assert len(url.encode()) <= 4 * 2048


@given(JSON)
def test_whatever_is_an_id_can_be_stored_and_shown(value):
    found = usable_id(value)

    assert found is None or (found.isprintable() and 0 < len(found) <= 500 and found.encode())
