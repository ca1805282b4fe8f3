"""What jobs of the simulated callers ask for."""

from collections.abc import Mapping

from relay.domain.job import Json

INPUTS: Mapping[str, tuple[str, Mapping[str, Json]]] = {
    "gepetto": (
        "redesign",
        {
            "url": "https://example.com/room.jpg",
            "styleId": "modern",
            "roomId": "living_room",
            "creativity": 12,
        },
    ),
    "spacely": (
        "standard",
        {
            "model": "full",
            "imageUrl": "https://example.com/room.jpg",
            "spaceType": "bedroom",
            "spaceStyle": "modern",
            "renovateType": "residential",
        },
    ),
}
