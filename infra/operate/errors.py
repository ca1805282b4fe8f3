"""Why a command did not do what it was asked for.

OperateError
├── NoDeployment        nothing to work on: no stack, no credentials, a malformed variable
├── NoDeadLetters       there is no subscription that keeps dead letters
├── StillPumping        a pump wrote the account again and again before we could
└── PubSubUnavailable   Pub/Sub does not answer, or refuses us
"""


class OperateError(Exception):
    """A command did not do what it was asked for."""


class NoDeployment(OperateError):
    """There is nothing to work on; says what to do."""


class NoDeadLetters(OperateError):
    """There is no subscription that keeps dead letters."""


class StillPumping(OperateError):
    """A pump wrote the account again and again before we could."""


class PubSubUnavailable(OperateError):
    """Pub/Sub does not answer, or refuses us; says which call."""
