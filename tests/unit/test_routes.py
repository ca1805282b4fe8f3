import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from relay.edges.routes import Routes


def endpoint(name):
    def answer():
        raise AssertionError(name)

    answer.__name__ = name
    return answer


ROUTES = Routes(
    [
        ("GET", "/v1/jobs", endpoint("list")),
        ("POST", "/v1/jobs", endpoint("create")),
        ("GET", "/v1/jobs/<job_id>", endpoint("read")),
        ("POST", "/v1/jobs/<job_id>/cancel", endpoint("cancel")),
        ("GET", "/v1/jobs/<job_id>/outputs/<n>", endpoint("output")),
        ("GET", "/console", endpoint("page")),
        ("GET", "/console/<digest>/<path:name>", endpoint("asset")),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("GET", "/v1/jobs", "list", {}),
        ("HEAD", "/v1/jobs", "list", {}),
        ("POST", "/v1/jobs", "create", {}),
        ("GET", "/v1/jobs/a", "read", {"job_id": "a"}),
        ("HEAD", "/v1/jobs/a", "read", {"job_id": "a"}),
        ("GET", "/v1/jobs/<job_id>", "read", {"job_id": "<job_id>"}),
        ("GET", "/v1/jobs/a\nb", "read", {"job_id": "a\nb"}),
        ("POST", "/v1/jobs/a/cancel", "cancel", {"job_id": "a"}),
        ("GET", "/v1/jobs/a/outputs/0", "output", {"job_id": "a", "n": "0"}),
        ("GET", "/console/d/app.js", "asset", {"digest": "d", "name": "app.js"}),
        ("GET", "/console/d/vendor/a.js", "asset", {"digest": "d", "name": "vendor/a.js"}),
    ],
)
def test_a_method_and_a_path_lead_to_an_endpoint(method, path, name, values):
    found, taken = ROUTES.match(method, path)

    assert (found.__name__, taken) == (name, values)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "//v1/jobs",
        "/V1/jobs",
        "/v1/jobs/",
        "/v1/jobs/a/",
        "/v1/jobs/a/b",
        "/v1/jobs//cancel",
        "/v1/jobs/a/cancel/b",
        "/v1/jobs/a/outputs",
        "/v1/jobs/a/outputs/",
        "/console/",
        "/console/d",
        "/console/d/",
    ],
)
def test_nothing_is_at_another_path(path):
    with pytest.raises(NotFound):
        ROUTES.match("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/jobs", ["GET", "HEAD", "POST"]),
        ("POST", "/v1/jobs/a", ["GET", "HEAD"]),
        ("GET", "/v1/jobs/a/cancel", ["POST"]),
        ("BREW", "/console/d/vendor/a.js", ["GET", "HEAD"]),
    ],
)
def test_another_method_is_told_which_there_are(method, path, allowed):
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.match(method, path)

    assert caught.value.valid_methods == allowed


def test_every_path_says_its_methods():
    assert ROUTES.methods["/v1/jobs"] == {"GET", "HEAD", "POST"}
    assert ROUTES.methods["/v1/jobs/<job_id>/cancel"] == {"POST"}
