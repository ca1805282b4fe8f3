"""What stands in for callers' endpoints and hosts of pictures."""

import pytest
import requests

from infra.bench.outside import LONG_ANSWER_BYTES, PICTURE_BYTES, Behaviour, Outside
from relay.domain.picture import picture_type


@pytest.fixture
def outside():
    with Outside(2) as serving:
        yield serving


def test_posts_are_recorded_whichever_port_they_came_to(outside):
    statuses = [
        requests.post(url, b"{}", timeout=60).status_code
        for url in outside.endpoints(Behaviour.TAKES)
    ]

    assert statuses == [204, 204]
    assert [(one.behaviour, one.body) for one in outside.posts] == [("takes", b"{}")] * 2


def test_an_endpoint_that_hangs_answers_once_it_is_let_go(outside):
    outside.let_go()

    (url, _) = outside.endpoints(Behaviour.HANGS)
    assert requests.post(url, b"{}", timeout=60).status_code == 410


def test_nobody_listens_where_posts_are_refused(outside):
    (url,) = outside.endpoints(Behaviour.REFUSES)

    with pytest.raises(requests.ConnectionError):
        requests.post(url, b"{}", timeout=60)


def test_pictures_and_long_answers_are_as_large_as_they_say(outside):
    picture = requests.get(outside.picture(1), timeout=30).content
    (url, _) = outside.endpoints(Behaviour.ANSWERS_AT_LENGTH)

    assert len(picture) == PICTURE_BYTES
    found = picture_type(picture)
    assert found is not None
    assert found.content_type == "image/png"
    assert len(requests.post(url, b"{}", timeout=30).content) == LONG_ANSWER_BYTES
