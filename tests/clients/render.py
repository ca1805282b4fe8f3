"""Makes, waits for and lists a job with the client that openapi-python-client generates.

Run by test_generated_clients.py: python render.py API_URL KEY PICTURE LISTING
"""

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from render_relay_client import AuthenticatedClient
from render_relay_client.api.jobs import create_job, get_job, list_jobs
from render_relay_client.models import (
    CreateSpacelyStandard,
    CreateSpacelyStandardInput,
    CreateSpacelyStandardInputRenovateType,
    Job,
    JobPage,
    ListJobsOperation,
    Metadata,
    Problem,
    ProviderName,
)

T = TypeVar("T")


def answered(ask: Callable[[], T]) -> T:
    """Ask, and again while the relay says that its store is not there just now."""
    while isinstance(answer := ask(), Problem) and answer.code == "store_unavailable":
        time.sleep(1)
    return answer


base_url, key, picture, listing = sys.argv[1:]
# A wait may take as long as it was asked to.
relay = AuthenticatedClient(base_url=base_url, token=key, timeout=httpx.Timeout(60.0))

body = CreateSpacelyStandard(
    provider="spacely",
    operation="standard",
    input_=CreateSpacelyStandardInput(
        model="spacely-v1",
        image_url=picture,
        space_type="bedroom",
        space_style="modern",
        renovate_type=CreateSpacelyStandardInputRenovateType.RESIDENTIAL,
    ),
    metadata=Metadata.from_dict({"listing": listing}),
)
idempotency_key = f"python-{listing}"
job = answered(lambda: create_job.sync(client=relay, body=body, idempotency_key=idempotency_key))
assert isinstance(job, Job), job

job_id = job.id
while job.finished_at is None:
    job = answered(lambda: get_job.sync(job_id, client=relay, prefer="wait=30"))
    assert isinstance(job, Job), job

page = answered(
    lambda: list_jobs.sync(
        client=relay,
        provider=ProviderName.SPACELY,
        operation=ListJobsOperation.STANDARD,
        page_size=100,
    )
)
assert isinstance(page, JobPage), page

refused = answered(lambda: get_job.sync("job_0", client=relay))
assert isinstance(refused, Problem), refused

print(
    json.dumps(
        {
            "id": job.id,
            "status": job.status,
            "outputs": [output.url for output in job.outputs],
            "listed": [one.id for one in page.jobs],
            "refused": refused.code,
        }
    )
)
