"""The providers' operations and the inputs that they take, as data."""

from collections.abc import Mapping

from relay.domain.catalogue.description import describe_provider, input_schema
from relay.domain.catalogue.gepetto import GEPETTO
from relay.domain.catalogue.operation import RAW, Operation, ProviderFacts
from relay.domain.catalogue.spacely import SPACELY

__all__ = [
    "CATALOGUE",
    "RAW",
    "Operation",
    "ProviderFacts",
    "describe_provider",
    "find_operation",
    "input_schema",
]

CATALOGUE: Mapping[str, ProviderFacts] = {facts.name: facts for facts in (GEPETTO, SPACELY)}


def find_operation(provider: str, operation: str) -> Operation:
    """Return an operation of a provider; raise KeyError if there is none."""
    return CATALOGUE[provider].operations[operation]
