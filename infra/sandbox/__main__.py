"""`python -m infra.sandbox`: both providers on one port of this machine."""

import argparse
import sys
from collections.abc import Sequence

from infra.sandbox.behaviour import described
from infra.sandbox.server import SandboxServer, listening
from infra.sandbox.settings import Settings
from infra.sandbox.wishes import UnknownBehaviourError, Wishes, parse

EPILOG = f"""\
misbehaviour, joined by commas, e.g. webhook-lost,render-s=8
  one job:       in its image's URL, .../rooms/living.jpg?sandbox=webhook-lost
                 or, without an image, in its prompt: "a loft sandbox:failed"
  every job:     --behave, or PUT /sandbox/behaviour, there also with a share of the
                 jobs (webhook-lost@0.2) or for one provider (spacely:submit-503=1)

{described()}

  Where N may follow, none means every time. Tries are counted per operation and input
  (the image's URL with its query, or the prompt), so that a resubmission counts on.

not documented by the providers, and so not to be relied on: Gepetto's 429 and Spacely's
403 above the call limit, how long Spacely blocks, every body of an error, `failed`.

also served: /rooms, /rooms/NAME.jpg (sample inputs), /renders/ID-N.png,
/sandbox/calls, /sandbox/jobs, /sandbox/summary, POST /sandbox/reset
"""


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.sandbox",
        description="A stand-in for Gepetto (/gepetto/v1) and Spacely (/spacely/api/v1).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Settings()
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0, the usual: a free one")
    add("--gepetto-key", default=usual.gepetto_key, help="accepted key (%(default)s)")
    add("--spacely-key", default=usual.spacely_key, help="accepted key (%(default)s)")
    add("--render-s", type=float, default=usual.render_s, help="typical render time (%(default)s)")
    add("--seed", type=int, default=usual.seed, help="of all chance (%(default)s)")
    add("--gepetto-calls-per-minute", type=int, default=usual.gepetto_calls_per_minute,
        metavar="N", help="above: 429; 0: no limit (%(default)s)")  # fmt: skip
    add("--spacely-calls-per-second", type=int, default=usual.spacely_calls_per_second,
        metavar="N", help="above: account blocked, 403; 0: no limit (%(default)s)")  # fmt: skip
    add("--spacely-block-s", type=float, default=usual.spacely_block_s, metavar="SECONDS",
        help="how long an account stays blocked (%(default)s)")  # fmt: skip
    add("--latency-s", type=float, default=usual.latency_s, metavar="SECONDS",
        help="every call takes at least that long (%(default)s)")  # fmt: skip
    add("--no-download", action="store_true", help="leave inputs alone, draw rooms instead")
    add("--behave", type=_wishes, default={}, metavar="NAME[=VALUE],...", help="see below")
    add("--verbose", action="store_true", help="a line on stderr for whatever happens")
    given = parser.parse_args(arguments)
    settings = Settings(
        gepetto_key=given.gepetto_key,
        spacely_key=given.spacely_key,
        render_s=given.render_s,
        seed=given.seed,
        gepetto_calls_per_minute=given.gepetto_calls_per_minute,
        spacely_calls_per_second=given.spacely_calls_per_second,
        spacely_block_s=given.spacely_block_s,
        latency_s=given.latency_s,
        fetches_inputs=not given.no_download,
        behaviours=given.behave,
    )
    try:
        listener = listening(given.host, given.port)
    except OSError as error:
        parser.error(f"cannot listen on {given.host}:{given.port}: {error.strerror}")
    SandboxServer(settings, listener, verbose=given.verbose).run()
    return 0


def _wishes(text: str) -> Wishes:
    try:
        return parse(text)
    except UnknownBehaviourError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
