"""The entry points: decode, call, encode."""

import gc

import flask
import functions_framework
from cloudevents.http import CloudEvent
from werkzeug.exceptions import InternalServerError, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

# Imports make hardly any garbage, yet collecting it takes a tenth of a cold start. Freezing then
# exempts their objects from collection and keeps them shared with the worker.
gc.disable()

from relay import bootstrap, logs  # noqa: E402
from relay.edges.bodies import leaving_the_rest_unread  # noqa: E402
from relay.edges.problems import internal_error, not_found, problem_answer  # noqa: E402
from relay.errors import OutputsUndecided  # noqa: E402

gc.freeze()
gc.enable()


@functions_framework.http
@logs.identified
@bootstrap.sending_traces
def jobs_api(request: flask.Request) -> Response:
    """Answer a call of the HTTP API."""
    return leaving_the_rest_unread(bootstrap.jobs_api().answer(request))


@functions_framework.http
@logs.identified
@bootstrap.sending_traces
def provider_webhook(request: flask.Request) -> Response:
    """Receive a provider's callback."""
    return leaving_the_rest_unread(bootstrap.provider_webhook().answer(request))


@functions_framework.cloud_event
@logs.identified
@bootstrap.sending_traces
def poll_tick(event: CloudEvent) -> None:
    """Run the pump for a tick from Pub/Sub."""
    bootstrap.poll_tick().receive(event.get_data())


@functions_framework.cloud_event
@logs.identified
@bootstrap.sending_traces
def deliver_callbacks(event: CloudEvent) -> None:
    """Run the pump of callbacks for a tick from Pub/Sub."""
    bootstrap.deliver_callbacks().receive(event.get_data())


@functions_framework.cloud_event
@logs.identified
@bootstrap.sending_traces
def keep_outputs(event: CloudEvent) -> None:
    """Keep the outputs of a job for a completion event from Pub/Sub."""
    try:
        bootstrap.keep_outputs().receive(event.get_data())
    except OutputsUndecided:
        # It was logged as what it is; as a crash it would be an error at each of 100 deliveries.
        raise ServiceUnavailable from None


@functions_framework.errorhandler(NotFound)  # type: ignore[untyped-decorator]
@logs.identified
def _nothing_here(_error: NotFound) -> Response:
    """Answer paths that the framework does not pass on, such as one with a line break."""
    return leaving_the_rest_unread(problem_answer(not_found()))


@functions_framework.errorhandler(InternalServerError)  # type: ignore[untyped-decorator]
@logs.identified
def _failed(_error: InternalServerError) -> Response:
    """Answer a request that failed by a fault of ours, which the framework has logged."""
    answer = problem_answer(internal_error())
    # The framework's own answer has this header, too.
    answer.headers["X-Google-Status"] = "crash"
    return leaving_the_rest_unread(answer)
