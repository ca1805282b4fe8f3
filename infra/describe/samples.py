"""One good input for every operation, made from the catalogue's own examples."""

from collections.abc import Mapping
from typing import Any

from relay.domain.catalogue import Operation, input_schema

RAW_PATHS: Mapping[str, str] = {"gepetto": "/upscale", "spacely": "/generate/text-to-image"}
RAW_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "gepetto": {"url": "https://example.com/room.jpg"},
    "spacely": {"prompt": "a quiet reading corner"},
}


def sample_input(provider: str, operation: Operation) -> dict[str, Any]:
    """Return an input with the fields that the operation needs, and no others."""
    if operation.path is None:
        return dict(RAW_INPUTS[provider])
    schema = input_schema(operation)
    needed = {*schema["required"], *operation.exactly_one_of[:1]}
    return {
        name: schema["properties"][name]["examples"][0]
        for name in schema["properties"]
        if name in needed
    }
