"""Why the demo cannot go on, or cannot go on yet.

DemoError
├── Unanswered   nobody answered, or a 5xx: the same call again may well succeed
└── Refused      an answer that no repetition will change: a bug here or in the relay
"""


class DemoError(Exception):
    """The demo cannot go on."""


class Unanswered(DemoError):
    """No answer that counts; a function was killed, perhaps, and is being started again."""


class Refused(DemoError):
    """The same call again would get the same answer."""
