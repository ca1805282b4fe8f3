"""A job's callback: the caller's URL, and what came of posting each event of the job to it.

See contract, section 5a. A callback does not know its job, only the ids of the job's events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# Stands in for an account in ticks and leases: callbacks have a pump of their own.
CALLBACKS = "callbacks"
# The schedule of Standard Webhooks' specification, "Deliverability and reliability".
RETRY_AFTER: Sequence[timedelta] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
LONGEST_RETRY_AFTER = timedelta(hours=1)
GONE = 410


class CallbackShape(StrEnum):
    """How the body of a callback is written."""

    EVENT = "event"
    GEPETTO = "gepetto"


class DeliveryStatus(StrEnum):
    """How far the delivery of a job's events has come."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of one event.

    Attributes:
        attempts: How often it was posted.
        last_status: The HTTP status of the last answer; None if there was none.
        next_at: When to post it next; None once it was delivered or has failed.
    """

    event_id: str
    status: DeliveryStatus
    attempts: int = 0
    last_status: int | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where the events of a job are posted, in their order.

    Attributes:
        url: The caller's.
        is_gone: Whether an answer of 410 has ended all deliveries.
        deliveries: One for each published event, in the order of publishing.
    """

    url: str
    shape: CallbackShape = CallbackShape.EVENT
    is_gone: bool = False
    deliveries: tuple[Delivery, ...] = ()

    @property
    def pending(self) -> Delivery | None:
        """The delivery whose turn it is; None if nothing is left to be delivered."""
        return next((one for one in self.deliveries if one.status is DeliveryStatus.PENDING), None)

    @property
    def current(self) -> Delivery | None:
        """The delivery that is under way, or was tried last; None before the first."""
        tried = [one for one in self.deliveries if one.attempts]
        return self.pending or next(reversed(tried or self.deliveries), None)

    @property
    def status(self) -> DeliveryStatus:
        """How far the delivery has come."""
        return DeliveryStatus.WAITING if self.current is None else self.current.status


def with_delivery(callback: Callback, event_id: str, *, at: datetime) -> Callback:
    """Add the delivery of an event, due now; once only, however often it is published."""
    if any(one.event_id == event_id for one in callback.deliveries):
        return callback
    delivery = Delivery(event_id=event_id, status=DeliveryStatus.PENDING, next_at=at)
    if callback.is_gone:
        delivery = replace(delivery, status=DeliveryStatus.FAILED, next_at=None)
    return replace(callback, deliveries=(*callback.deliveries, delivery))


def after_attempt(
    callback: Callback,
    tried: Delivery,
    *,
    http_status: int | None,
    retry_after_s: float | None,
    at: datetime,
) -> Callback:
    """Note what came of one attempt; of this attempt only, however often the step is repeated.

    Args:
        tried: The delivery as it was when it was posted.
        http_status: Of the answer; None if there was none.
        retry_after_s: What the answer asked for in ``Retry-After``; None if nothing.
    """
    if tried not in callback.deliveries:
        return callback
    after = replace(tried, attempts=tried.attempts + 1, last_status=http_status)
    is_delivered = http_status is not None and 200 <= http_status < 300
    if is_delivered:
        after = replace(after, status=DeliveryStatus.DELIVERED, next_at=None)
    elif http_status == GONE or tried.attempts >= len(RETRY_AFTER):
        after = replace(after, status=DeliveryStatus.FAILED, next_at=None)
    else:
        delay = RETRY_AFTER[tried.attempts]
        if retry_after_s is not None:
            delay = max(delay, min(timedelta(seconds=retry_after_s), LONGEST_RETRY_AFTER))
        after = replace(after, next_at=at + delay)
    deliveries = tuple(
        after if one == tried else _not_before(one, at) for one in callback.deliveries
    )
    if http_status != GONE:
        return replace(callback, deliveries=deliveries)
    return replace(callback, is_gone=True, deliveries=tuple(map(_ended, deliveries)))


def redelivered(callback: Callback, *, at: datetime) -> Callback:
    """Have all events delivered again from the first on, as if none had been tried."""
    again = tuple(
        Delivery(event_id=one.event_id, status=DeliveryStatus.PENDING, next_at=at)
        for one in callback.deliveries
    )
    return replace(callback, is_gone=False, deliveries=again)


def _not_before(delivery: Delivery, at: datetime) -> Delivery:
    """Return the delivery due no earlier than now: it is not late for the one before it."""
    if delivery.next_at is None or delivery.next_at >= at:
        return delivery
    return replace(delivery, next_at=at)


def _ended(delivery: Delivery) -> Delivery:
    if delivery.status is not DeliveryStatus.PENDING:
        return delivery
    return replace(delivery, status=DeliveryStatus.FAILED, next_at=None)
