"""What the descriptions say beside what the code says: their introductions."""

from typing import Final

from relay import __version__

VERSION: Final = __version__

OPENAPI_DESCRIPTION: Final = """\
Takes render jobs for AI interior-design providers, sends each one exactly once, learns how it
ended by webhook or by polling, and tells the world once.

**Keys.** Give yours as `Authorization: Bearer KEY` or as `X-API-KEY: KEY`. A key belongs to a
tenant; a tenant sees its own jobs and nobody else's.

**Errors** are problem details (RFC 9457) with a stable `code`. What is wrong with a body is
pointed to by `pointer`, what is wrong with a query by `parameter`. Whatever the path, a method
that it does not know is 405 `method_not_allowed` with `Allow`, and a path that does not exist is
404 `not_found`. There are no redirects.

**Trying again.** Every call may be repeated after a 503 or a lost answer; give a create or retry
an `Idempotency-Key`, and a repeated one meets the first one's job.

**JSON.** Unknown fields of a request are refused, those of an answer are to be ignored: fields
may be added. Objects with a key twice, `NaN`, NUL and half surrogates are refused.
"""

ASYNCAPI_DESCRIPTION: Final = """\
What Render Relay says and hears on Pub/Sub.

Events are CloudEvents 1.0 in binary mode: their attributes are the message's attributes, the data
is the job as the HTTP API shows it. They come at least once, every copy with the same `ce-id`,
`ce-time` and data: remove duplicates by `ce-id`. With ordering switched on in the subscription,
those of one job come in order.
"""

COMPLETIONS: Final = """\
Each job is announced when it has ended, and once more if a result comes after that.
The attributes `tenant`, `provider`, `operation` and `status` are there for subscription filters,
such as `attributes.status = "succeeded"`. The topic's name is the deployment's choice
(`COMPLETIONS_TOPIC`).
"""

TICKS: Final = """\
The relay's own clockwork: every message has the pump of one account look for what is due.
One topic and one push subscription for each account; the part of the name before the account is
the deployment's choice (`TICKS_TOPIC`). A tick without an account, or with an unknown one, is
acknowledged and does nothing.
"""

WAKING: Final = "A job was written that is due at once: its account's pump should not wait."
