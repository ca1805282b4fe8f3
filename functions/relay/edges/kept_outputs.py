"""A kept output as HTTP serves it: streamed, cacheable by its tenant alone."""

import re

from werkzeug.wrappers import Request, Response

from relay.application.ports import OutputBucket
from relay.domain.job import Job
from relay.domain.kept_output import KeptOutput
from relay.domain.output_keeping import results
from relay.errors import OutputNotKept

# A copy never changes, and a year is as long as caches go (RFC 9111, 5.2.2.1; RFC 8246).
CACHE_CONTROL = "private, max-age=31536000, immutable"
_INDEX = re.compile(r"0|[1-9][0-9]{0,3}")


def kept_output(job: Job, n: str) -> KeptOutput:
    """Return the entry of the job's output with this index, as a path has it.

    Raises:
        OutputNotKept: Says why there is no copy.
    """
    if not _INDEX.fullmatch(n):
        raise OutputNotKept("outputs are numbered 0, 1, 2 and so on")
    index, count = int(n), len(results(job))
    if index >= count:
        there = "none yet" if not job.is_final else f"{count}, numbered from 0"
        raise OutputNotKept(f"the job has no output {n}; it has {there}")
    found = next((one for one in job.kept_outputs if one.index == index), None)
    if found is None:
        raise OutputNotKept("there is no copy of this output yet")
    if found.error is not None:
        raise OutputNotKept(f"this output was not kept: {found.error}")
    return found


def kept_output_answer(request: Request, kept: KeptOutput, bucket: OutputBucket | None) -> Response:
    """Return the answer that streams a copy, or 304 if its caller has it.

    Raises:
        OutputNotKept: It has gone, or there is no bucket.
        BucketUnavailable: The bucket did not answer.
    """
    if bucket is None:
        raise OutputNotKept("this relay has no bucket of kept outputs")
    answer = Response(content_type=kept.content_type)
    if request.if_none_match.contains_weak(kept.sha256):
        answer.status_code = 304
        answer.response = iter(())
    elif request.method == "HEAD":
        answer.response = iter(())
        answer.content_length = kept.bytes
    else:
        stream = bucket.open(kept.uri)
        answer.response = iter(stream)
        answer.call_on_close(stream.close)
        answer.content_length = kept.bytes
    answer.set_etag(kept.sha256)
    answer.headers["Cache-Control"] = CACHE_CONTROL
    # Whatever the provider made, a browser must not take it for a page of ours.
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
