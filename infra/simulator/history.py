"""The records that the simulated store writes; see `infra.verification.history`."""

from infra.verification.history import EPOCH, Outage, Trouble, Version, moment

__all__ = ["EPOCH", "Outage", "Trouble", "Version", "moment"]
