"""What is shown of what a provider says: a short, printable text without secrets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.providers.excerpt import MAX_LENGTH, excerpt, failure_text, text_of
from relay.adapters.providers.response_classifier import parse_json
from tests.payloads.arbitrary import JSON

TOKEN = "dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4t"
BASE = "https://hooks.example.com/in"
SECRETS = ("gk-0123456789abcdef", f"{BASE}/gepetto/job_1/{TOKEN}", BASE, TOKEN)


def said(body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return text_of(content, parse_json(content))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"Bad Request", "Bad Request"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("no such image", "no such image"),
        ({"message": "no such image", "error": "Bad Request"}, "no such image"),
        ({"error": {"code": 3, "message": "invalid image"}}, "invalid image"),
        ({"detail": "url is required"}, "url is required"),
        ({"message": ["url is no URL", "roomId is required"]}, "url is no URL; roomId is required"),
        ({"detail": [{"loc": ["url"]}]}, '{"detail": [{"loc": ["url"]}]}'),
        ({"code": 7}, '{"code": 7}'),
        (["no", "way"], '["no", "way"]'),
        ({}, ""),
        (None, "null"),
    ],
    ids=repr,
)
def test_what_a_refusal_says_is_found_whatever_its_shape(body, text):
    assert said(body) == text


@pytest.mark.parametrize(
    ("bodies", "text"),
    [
        ([{"status": "failed", "output": None}], "failed"),
        ([{"status": "failed", "error": "out of memory"}], "failed: out of memory"),
        ([{"status": "failed", "message": "failed", "error": "no room"}], "failed: no room"),
        ([{"status": "failed", "message": "no room", "error": "E7"}], "failed: no room; E7"),
        ([{"status": "failed", "why": "no room"}], 'failed: {"why": "no room"}'),
        ([{"status": "failed", "webhookUrl": "https://a.b", "progress": 40}], "failed"),
        ([{"status": "failed"}, {"data": {"status": "failed"}, "message": "no"}], "failed: no"),
    ],
    ids=repr,
)
def test_a_failed_render_is_told_in_the_providers_word_and_text(bodies, text):
    assert failure_text("failed", *bodies) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot call {SECRETS[1]}", "cannot call ***"),
        (f"cannot call {BASE}/gepetto", "cannot call ***/gepetto"),
        (f"cannot call {SECRETS[1].replace('/', chr(92) + '/')}", "cannot call ***"),
        ("see https%3A%2F%2Fhooks.example.com%2Fin", "see ***"),
        (f"/job_1/{TOKEN} with {SECRETS[0]}", "/job_1/*** with ***"),
        ("404: https://a.b/room.jpg?X-Sig=abc&n=1", "404: https://a.b/room.jpg?***"),
        ('"https://a.b/room.jpg?X-Sig=abc" is gone', '"https://a.b/room.jpg?***" is gone'),
        ("https://user:pass@a.b/room.jpg#me", "https://a.b/room.jpg"),
        ("https%3A%2F%2Fa.b%2Froom.jpg%3FX-Sig%3Dabc", "***"),
        ("<h1>Error</h1><style>p {}</style><p>gone", "Error gone"),
        ("a < b and <3", "a < b and <3"),
        ("url is\nnot\treachable\x00\u202e", "url is not reachable"),
        ("half \ud83d an emoji", "half an emoji"),
    ],
    ids=repr,
)
def test_an_excerpt_shows_neither_secrets_nor_markup(text, shown):
    assert excerpt(text, secrets=SECRETS) == shown


def test_an_excerpt_ends_after_300_characters_and_shows_no_part_of_a_secret_there():
    shown = excerpt("x" * 290 + SECRETS[1], secrets=SECRETS)

    assert MAX_LENGTH == 300
    assert shown == "x" * 290 + "***"
    assert len(excerpt("x" * 1000, secrets=SECRETS)) == 300


@pytest.mark.parametrize("text", ["<style>" * 150_000, "<a" * 500_000, "https://" * 120_000])
def test_a_text_made_to_be_slow_to_read_is_read_all_the_same(text):
    """Read whole, each would take minutes."""
    assert len(excerpt(text, secrets=SECRETS)) <= 300


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_a_provider_says_is_too_odd_for_an_excerpt(body):
    shown = excerpt(said(body), secrets=SECRETS)

    assert len(shown) <= 300
    assert shown.isprintable()
