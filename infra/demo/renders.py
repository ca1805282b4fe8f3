"""The renders that the sandbox has accepted: what real providers would have charged for."""

import msgspec
import requests

from infra.demo.errors import Refused, Unanswered

_TIMEOUT_S = 5.0


class _Render(msgspec.Struct, rename={"ref": "providerJobId"}):
    ref: str


class _Renders(msgspec.Struct):
    jobs: tuple[_Render, ...]


def accepted_renders(sandbox_url: str) -> tuple[str, ...]:
    """Return the providers' own ids of all renders, oldest first.

    Raises:
        Unanswered: Try again.
        Refused: The answer makes no sense.
    """
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(f"{sandbox_url}/sandbox/jobs", timeout=_TIMEOUT_S)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise Unanswered(f"sandbox: {type(error).__name__}") from error
    try:
        renders = msgspec.json.decode(answer.content, type=_Renders)
    except msgspec.DecodeError as error:
        raise Refused(f"sandbox: {error}") from error
    return tuple(render.ref for render in renders.jobs)
