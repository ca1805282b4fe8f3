"""Figure 2: from a create to its answer, against a bare function with one `create`."""

import json
from collections.abc import Callable, Mapping, Sequence

from infra.bench.duel import Contestant, Duel, run_duels
from infra.bench.figure import Figure, Table
from infra.bench.jobs import GEPETTO_INPUT, METADATA
from infra.bench.rig import Rig
from infra.bench.volley import Shot
from infra.bench.webhooks import (
    LATENCY_HEAD,
    TARGET_SENDERS,
    THROUGHPUT_HEAD,
    latency_row,
    ratio_check,
    throughput_rows,
)

TARGET_RATIO = 0.80
BODY = json.dumps(
    {
        "provider": "gepetto",
        "operation": "redesign",
        "input": GEPETTO_INPUT,
        "metadata": METADATA,
    }
)


def measure(rig: Rig, *, rounds: int, requests: Mapping[int, int]) -> tuple[Duel, ...]:
    """Measure at every number of senders.

    Args:
        requests: Of one round, by the number of senders.
    """
    with rig.serving(("jobs_api", "floor_create")) as functions:
        headers = {"X-API-KEY": rig.api_key}
        relay = Contestant(
            served=functions["jobs_api"], headers=headers, shots=_shots("/v1/jobs"), status=201
        )
        floor = Contestant(
            served=functions["floor_create"], headers=headers, shots=_shots("/"), status=201
        )
        return run_duels(relay, floor, rounds=rounds, requests=requests)


def _shots(path: str) -> Callable[[int], Sequence[Shot]]:
    return lambda count: [Shot(key=str(number), path=path, body=BODY) for number in range(count)]


def figure(duels: Sequence[Duel]) -> Figure:
    """Say what was measured."""
    at_target = next(one for one in duels if one.senders == TARGET_SENDERS)
    return Figure(
        title="Create",
        notes=(
            """
            The floor parses the body, writes one document and answers with it. The relay also
            checks the key, the body's types and the input against the catalogue, and wakes the
            account's pump: one publish at most once a second, however many jobs are created, so
            it is in these figures and hardly seen in them. No pump runs beside.
            """,
            """
            The one call to the store is the same for both, so the ratio is that of what each
            does in Python around it, which the processor times show. A profile shows no single
            thing that stands out on the relay's side: its document has 37 fields to the floor's
            8, and beside it there are the job's view for the answer, a log line, the checks of
            the input and the digests of the body and of the metadata.
            """,
        ),
        tables=(
            Table(
                caption="Throughput, jobs a second",
                head=THROUGHPUT_HEAD,
                rows=throughput_rows(duels),
            ),
            Table(
                caption="Create sent to answer received, ms",
                head=LATENCY_HEAD,
                rows=tuple(
                    latency_row(one, one.relay.to_answer(), one.floor.to_answer()) for one in duels
                ),
            ),
        ),
        checks=(ratio_check("create throughput", at_target, target=TARGET_RATIO),),
    )
