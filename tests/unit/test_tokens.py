"""The token in the URL of a callback, against vectors that openssl made."""

import pytest

from relay.domain.tokens import is_good_token, make_token, webhook_url

JOB_ID = "job_00000000000000000000000001"
KEY = "0123456789abcdef0123456789abcdef"
OLDER_KEY = "an older key that is still accepted"
# printf 'gepetto/job_...01' | openssl dgst -sha256 -hmac KEY -binary | openssl base64,
# then + to -, / to _, without =, the first 32 characters.
VECTORS = [
    (KEY, "gepetto", "PqhQGktMCHNEm2FoLJHLDYba_OGqXr7B"),
    (OLDER_KEY, "gepetto", "Uj9dIMhlZkGaKA1ocodgaDRKsIsVbmVa"),
    (KEY, "spacely", "xZLJsNUbG7qSisvvECdLpyFca_sC7SGr"),
]


@pytest.mark.parametrize(("key", "provider", "token"), VECTORS)
def test_a_token_is_the_recorded_one(key, provider, token):
    assert make_token(key, provider=provider, job_id=JOB_ID) == token


@pytest.mark.parametrize("token", [VECTORS[0][2], VECTORS[1][2]], ids=["first key", "second key"])
def test_every_key_makes_good_tokens(token):
    assert is_good_token([KEY, OLDER_KEY], token, provider="gepetto", job_id=JOB_ID)


@pytest.mark.parametrize(
    "token",
    [
        "",
        VECTORS[0][2][:-1],
        VECTORS[0][2] + "A",
        VECTORS[0][2].lower(),
        VECTORS[2][2],
        "ünï" * 10,
        "\ud800" * 32,
    ],
    ids=["none", "short", "long", "lower case", "other provider's", "not ASCII", "surrogates"],
)
def test_any_other_token_is_wrong(token):
    assert not is_good_token([KEY, OLDER_KEY], token, provider="gepetto", job_id=JOB_ID)


def test_a_token_is_good_for_one_job_only():
    token = VECTORS[0][2]

    assert not is_good_token([KEY], token, provider="gepetto", job_id=JOB_ID[:-1] + "2")


def test_without_keys_no_token_is_good():
    assert not is_good_token([], VECTORS[0][2], provider="gepetto", job_id=JOB_ID)


def test_the_url_that_a_provider_gets_has_the_provider_the_job_and_the_token():
    url = webhook_url("https://hooks.example.com", KEY, provider="gepetto", job_id=JOB_ID)

    assert url == f"https://hooks.example.com/gepetto/{JOB_ID}/{VECTORS[0][2]}"
