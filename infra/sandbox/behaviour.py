"""How a provider can misbehave, and how that is asked for.

The table below is all there is: it drives parsing, `--help` and what the answers say.
Asked for as `NAME`, `NAME=VALUE`, and server-wide also `NAME=VALUE@PROBABILITY` and
`PROVIDER:NAME`; several are joined by commas.
"""

from dataclasses import dataclass
from enum import StrEnum


class Takes(StrEnum):
    """What the value after a behaviour's name is."""

    NOTHING = ""
    SECONDS = "SECONDS"
    TIMES = "N"
    WORD = "WORD"
    CODE = "CODE"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to misbehave.

    Attributes:
        default: The value if none is given; None where `takes` N: every time.
        server_wide: It cannot be asked for by a single job.
    """

    name: str
    takes: Takes
    summary: str
    default: float | str | None = None
    server_wide: bool = False


_S, _N, _W, _X = Takes.SECONDS, Takes.TIMES, Takes.WORD, Takes.NOTHING

BEHAVIOURS = (
    Behaviour("render-s", _S, "the render takes that long", 3.0),
    Behaviour("cold-s", _S, "a cold model: that long passes before the render starts", 120.0),
    Behaviour(
        "failed", _W, "the render ends with the status WORD, no picture, no webhook", "failed"
    ),
    Behaviour("fails", _N, "the renders of the first N tries end so, the next one succeeds"),
    Behaviour("odd-status", _W, "polls say WORD while the render runs", "rendering"),
    Behaviour("no-output", _X, "success for ever, but no picture in poll or webhook"),
    Behaviour("webhook-lost", _X, "the webhook is never sent"),
    Behaviour("webhook-twice", _X, "the webhook is sent twice at once"),
    Behaviour(
        "webhook-early", _X, "the render is instant, its webhook answered before the submit is"
    ),
    Behaviour("webhook-late", _S, "the webhook is sent that long after the render is done", 20.0),
    Behaviour(
        "webhook-no-output", _X, "the webhook holds only the id; sent for a failed render too"
    ),
    Behaviour("webhook-wrong-id", _X, "the webhook holds another job's id"),
    Behaviour("webhook-nonsense", _X, "the webhook's body is not JSON"),
    Behaviour("ack-late", _S, "the acknowledgement comes that long after acceptance", 10.0),
    Behaviour("ack-no-id", _X, "the acknowledgement is a 200 without an id"),
    Behaviour("submit-400", _N, "the first N tries are refused with 400"),
    Behaviour("submit-401", _N, "the first N tries are refused with 401, as an account would be"),
    Behaviour("submit-402", _N, "likewise with 402"),
    Behaviour("submit-403", _N, "likewise with 403"),
    Behaviour("submit-429", _N, "the first N tries are refused with 429, Retry-After: 2"),
    Behaviour("submit-503", _N, "the first N tries are refused with 503"),
    Behaviour("submit-500", _N, "the first N tries are answered 500, nothing was accepted"),
    Behaviour("accept-500", _N, "the first N tries are accepted but answered 500"),
    Behaviour(
        "accept-hang", _N, "the first N tries are accepted, never answered (held up to 600 s)"
    ),
    Behaviour("accept-close", _N, "the first N tries are accepted, then the connection is closed"),
    Behaviour("poll-500", _N, "the job's first N polls are answered 500"),
    Behaviour("poll-unknown", _N, "the job's first N polls do not know it (400)"),
    Behaviour("html-errors", _X, "error bodies are HTML pages"),
    Behaviour("account", Takes.CODE, "every call is refused with 401, 402 or 403", 402.0, True),
)
NAMES = {behaviour.name: behaviour for behaviour in BEHAVIOURS}


def described() -> str:
    """Return the table for people, a line each."""
    lines = []
    for behaviour in BEHAVIOURS:
        value = f"[={behaviour.takes}]" if behaviour.takes else ""
        without = (
            ""
            if behaviour.default is None
            else f" (default {behaviour.default:{_shape(behaviour)}})"
        )
        scope = " (server-wide only)" if behaviour.server_wide else ""
        lines.append(f"  {behaviour.name + value:22} {behaviour.summary}{without}{scope}")
    return "\n".join(lines)


def _shape(behaviour: Behaviour) -> str:
    return "s" if isinstance(behaviour.default, str) else "g"
