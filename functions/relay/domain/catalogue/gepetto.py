"""Gepetto's operations, as docs.gepettoapp.com shows them."""

from relay.domain.catalogue.operation import Field, Kind, Operation, ProviderFacts
from relay.domain.limits import Limit
from relay.domain.rhythm import Rhythm

URL = Field(name="url", kind=Kind.IMAGE_URL, required=True)
MASK = Field(name="mask", kind=Kind.IMAGE_URL, required=False)
STYLE = Field(name="styleId", kind=Kind.TEXT, required=True)
ROOM = Field(name="roomId", kind=Kind.TEXT, required=True)


def _flag(name: str) -> Field:
    return Field(name=name, kind=Kind.FLAG, required=False)


OPERATIONS = (
    Operation(
        name="redesign",
        path="/redesign",
        fields=(
            URL,
            STYLE,
            ROOM,
            Field(name="creativity", kind=Kind.NUMBER, required=True, least=0, most=30),
            MASK,
            _flag("preserveWindows"),
            _flag("preserveWalls"),
            _flag("preserveCeiling"),
            _flag("preserveFloor"),
        ),
        is_complete=True,
        credits=None,
        source="docs.gepettoapp.com, endpoints/redesign",
    ),
    Operation(
        name="furnish",
        path="/furnish",
        fields=(
            URL,
            Field(name="roomId", kind=Kind.TEXT, required=False),
            Field(name="furnitureId", kind=Kind.TEXT, required=False),
            STYLE,
            MASK,
            _flag("preserveWindows"),
        ),
        exactly_one_of=("roomId", "furnitureId"),
        is_complete=True,
        credits=None,
        source="docs.gepettoapp.com, endpoints/furnish",
    ),
    Operation(
        name="smart-staging-v2",
        path="/smart-staging-v2",
        fields=(
            URL,
            Field(
                name="roomId",
                kind=Kind.TEXT,
                required=True,
                values=(
                    "living_room",
                    "living_dining",
                    "kitchen_living",
                    "bedroom",
                    "dining_room",
                    "home_office",
                    "outdoor_terrace",
                    "kitchen",
                ),
            ),
            STYLE,
        ),
        is_complete=True,
        credits=None,
        source="docs.gepettoapp.com, endpoints/smart-staging-v2",
    ),
)

GEPETTO = ProviderFacts(
    name="gepetto",
    base_url="https://europe-west1-gepettoai.cloudfunctions.net/v1",
    limit=Limit(calls=120, window_s=60.0),
    rhythm=Rhythm(
        first_s=25.0, shortest_s=5.0, longest_s=60.0, share_of_age=0.25, resubmit_after_s=60.0
    ),
    calls_back=True,
    operations={operation.name: operation for operation in OPERATIONS},
)
