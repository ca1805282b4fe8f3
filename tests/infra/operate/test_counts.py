"""Jobs are counted by index: Firestore refuses what the emulator answers."""

from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from infra.operate.counts import FirestoreCounts
from relay.adapters.database import Collection, Database
from relay.domain.queue import keys_of
from tests.terraform.declared_indexes import indexes_as_written
from tests.terraform.firestore_indexes import read_query
from tests.terraform.running import SOURCE


@pytest.mark.parametrize(
    "count",
    [
        lambda counts: counts.queued("gepetto", keys_of("shop")),
        lambda counts: counts.due("gepetto", until=datetime(2026, 11, 28, tzinfo=UTC)),
        lambda counts: counts.deliveries(keys_of("shop")),
    ],
    ids=["queued", "due", "deliveries"],
)
def test_every_count_has_its_index(monkeypatch, count):
    asked = []

    def remember(_, query):
        asked.append(query)
        return 7

    monkeypatch.setattr(Collection, "count", remember)
    database = Database(grpc.insecure_channel("127.0.0.1:1"), project="a-project")

    assert count(FirestoreCounts(database)) == 7

    (query,) = asked
    assert indexes_as_written(SOURCE).serve(read_query(MessageToDict(query)))
