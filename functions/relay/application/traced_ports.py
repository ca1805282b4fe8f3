"""Wrappers that record a provider's calls and the published events in the jobs' traces."""

from relay.application.ports import Provider, Topics
from relay.application.tracer import Step, Tracer
from relay.domain.answers import Accepted, PollAnswer
from relay.domain.job import Announcement, Job
from relay.errors import AccountRefused, JobRefused


class TracedProvider:
    """A provider whose submissions and polls are recorded."""

    def __init__(self, provider: Provider, tracer: Tracer) -> None:
        self.name = provider.name
        self.limit = provider.limit
        self.poll_policy = provider.poll_policy
        self.lists = provider.lists
        self._provider = provider
        self._tracer = tracer

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        with self._tracer.step(Step.SUBMIT, job) as span:
            span.note(attempt=job.tries)
            try:
                return self._provider.submit(job)
            except (AccountRefused, JobRefused) as error:
                span.note(http_status=error.status)
                raise

    def poll(self, job: Job) -> PollAnswer:
        """See `Provider`."""
        with self._tracer.step(Step.POLL, job) as span:
            span.note(attempt=job.polls + 1)
            try:
                answer = self._provider.poll(job)
            except AccountRefused as error:
                span.note(http_status=error.status)
                raise
            span.note(answer=type(answer).__name__)
            return answer


class TracedTopics:
    """Topics whose events are recorded."""

    def __init__(self, topics: Topics, tracer: Tracer) -> None:
        self._tracer = tracer
        self._topics = topics
        self.publish_tick = topics.publish_tick

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""
        with self._tracer.step(Step.PUBLISH, job, event_id=event.id) as span:
            span.note(event_type=event.type.value, attempt=event.failures + 1)
            self._topics.publish_event(job, event)
