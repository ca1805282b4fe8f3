"""Why a storm tells nothing.

StormError
└── NoEvidence   the sandbox or Firestore did not say what they saw
"""


class StormError(Exception):
    """The storm could not be carried out."""


class NoEvidence(StormError):
    """What is to be checked cannot be read."""
