"""Attacks a running relay with what its OpenAPI file says: schemathesis, all checks on."""

from typing import Final

# In the environment of a run without a key: hooks.py is read in another process.
STRANGER: Final = "RELAY_FUZZ_STRANGER"
