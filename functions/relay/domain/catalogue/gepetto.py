"""Gepetto's operations and their inputs, as docs.gepettoapp.com shows them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from relay.domain.catalogue.fields import CompleteInput, ImageUrl, PartialInput
from relay.domain.catalogue.operation import (
    Credits,
    DependentValues,
    Expected,
    Operation,
    ProviderFacts,
    raw,
)
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy

EXPECTED = Expected(
    seconds=30.0,
    source="our guess: only the minutes of a cold start are documented (introduction/cold-boots)",
)
ROOM = ["https://example.com/room.jpg"]
MASK = ["https://example.com/mask.png"]

# The ids in the pages' samples; the whole lists were not seen (gepetto.md 5).
STYLES = ("modern", "demeures")
ROOMS = (
    "living_room",
    "living_dining",
    "kitchen",
    "kitchen_living",
    "bedroom",
    "dining_room",
    "home_office",
    "gaming_room",
    "outdoor_terrace",
)
KNOWN_STYLES = {"styleId": STYLES}
KNOWN_IDS = {**KNOWN_STYLES, "roomId": ROOMS}

Room = Annotated[ImageUrl, Meta(description="Picture of the room.", examples=ROOM)]
Mask = Annotated[ImageUrl, Meta(description="Mask as large as the picture.", examples=MASK)]
ByHand = Annotated[ImageUrl, Meta(description="Mask for decluttering by hand.", examples=MASK)]
StyleId = Annotated[
    str, Meta(min_length=1, description="Id of a style, from Get Styles.", examples=["modern"])
]
RoomId = Annotated[
    str, Meta(min_length=1, description="Id of a room, from Get Rooms.", examples=["living_room"])
]
FurnitureId = Annotated[
    str,
    # No page shows one.
    Meta(
        min_length=1,
        description="Id of furniture, from Get Furnitures, instead of `roomId`.",
        examples=["ID-OF-FURNITURE"],
    ),
]
Windows = Annotated[bool, Meta(description="Keep windows, doors and bay windows.", examples=[True])]
Walls = Annotated[bool, Meta(description="Keep the walls as they are.", examples=[True])]
Ceiling = Annotated[bool, Meta(description="Keep the ceiling as it is.", examples=[True])]
Floor = Annotated[bool, Meta(description="Keep the floor as it is.", examples=[True])]


class Redesign(CompleteInput):
    """What `redesign` takes; see gepetto.md 4.1."""

    url: Room
    style_id: StyleId
    room_id: RoomId
    creativity: Annotated[
        float,
        Meta(
            ge=0,
            le=30,
            description="From 0 to 30; higher departs further from the picture.",
            examples=[14],
        ),
    ]
    mask: Mask | UnsetType = UNSET
    preserve_windows: Windows | UnsetType = UNSET
    preserve_walls: Walls | UnsetType = UNSET
    preserve_ceiling: Ceiling | UnsetType = UNSET
    preserve_floor: Floor | UnsetType = UNSET


class CreativeRedesign(CompleteInput):
    """What `creative-redesign` takes; see gepetto.md 4.2."""

    url: Room
    style_id: StyleId
    room_id: RoomId


class Furnish(CompleteInput):
    """What `furnish` takes; see gepetto.md 4.3."""

    url: Room
    style_id: StyleId
    room_id: RoomId | UnsetType = UNSET
    furniture_id: FurnitureId | UnsetType = UNSET
    mask: Mask | UnsetType = UNSET
    preserve_windows: Windows | UnsetType = UNSET


class SmartStaging(CompleteInput):
    """What `smart-staging` takes; see gepetto.md 4.4."""

    url: Annotated[ImageUrl, Meta(description="Picture of an empty room.", examples=ROOM)]
    room_id: Annotated[
        Literal["living_room", "bedroom", "dining_room", "home_office", "gaming_room"],
        Meta(description="What the room is.", examples=["living_room"]),
    ]
    style_id: StyleId


class SmartStagingV2(CompleteInput):
    """What `smart-staging-v2` takes; see gepetto.md 4.5."""

    url: Annotated[
        ImageUrl, Meta(description="Picture of a room, best an empty one.", examples=ROOM)
    ]
    room_id: Annotated[
        Literal[
            "living_room",
            "living_dining",
            "kitchen_living",
            "bedroom",
            "dining_room",
            "home_office",
            "outdoor_terrace",
            "kitchen",
        ],
        Meta(description="What the room is.", examples=["living_room"]),
    ]
    style_id: StyleId


class Refresh(CompleteInput):
    """What `refresh` takes; see gepetto.md 4.6."""

    url: Room
    transformation: Annotated[
        Literal["walls", "floor"], Meta(description="What to change.", examples=["walls"])
    ]
    value: Annotated[
        str,
        Meta(
            min_length=1,
            description="The colour of the walls or the material of the floor.",
            examples=["egg shell"],
        ),
    ]


REFRESHED = {
    "walls": ("white", "egg shell", "black", "gray", "blue", "deep blue", "olive", "terracotta"),
    # An older page has hardwood too; see gepetto.md 9 row 5.
    "floor": ("parquet", "tile", "marble", "carpet", "concrete"),
}


class Sunshine(PartialInput):
    """What is known of what `sunshine` takes; see gepetto.md 4.7."""

    url: Annotated[ImageUrl, Meta(description="Picture, outdoor or indoor.", examples=ROOM)]


class Declutter(CompleteInput):
    """What `declutter` takes; see gepetto.md 4.8."""

    url: Room
    mask: ByHand | UnsetType = UNSET


class Upscale(PartialInput):
    """What is known of what `upscale` takes; see gepetto.md 4.9."""

    url: Annotated[ImageUrl, Meta(description="Picture to enlarge.", examples=ROOM)]


# Most pages show no price, and two only an old one in euros.
OPERATIONS = (
    Operation(
        name="redesign",
        path="/redesign",
        input=Redesign,
        known_values=KNOWN_IDS,
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/redesign",
        notes=(
            "The page says of the mask both that it preserves and that it modifies.",
            "With a mask the preserve flags are ignored.",
        ),
    ),
    Operation(
        name="creative-redesign",
        path="/creative-redesign",
        input=CreativeRedesign,
        known_values=KNOWN_IDS,
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/creative-redesign",
    ),
    Operation(
        name="furnish",
        path="/furnish",
        input=Furnish,
        known_values=KNOWN_IDS,
        exactly_one_of=("roomId", "furnitureId"),
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/furnish",
        notes=("With a mask, preserveWindows is ignored.",),
    ),
    Operation(
        name="smart-staging",
        path="/smart-staging",
        input=SmartStaging,
        known_values=KNOWN_STYLES,
        is_legacy=True,
        expected=EXPECTED,
        source="docs.gepettoapp.com, legacy-endpoints/smart-staging-v1",
        notes=("For empty rooms only.", "smart-staging-v2 is advised instead."),
    ),
    Operation(
        name="smart-staging-v2",
        path="/smart-staging-v2",
        input=SmartStagingV2,
        known_values=KNOWN_STYLES,
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/smart-staging-v2",
        notes=("The page names kitchen above its table but not in it: it may be refused.",),
    ),
    Operation(
        name="refresh",
        path="/refresh",
        input=Refresh,
        dependent=(DependentValues(field="value", given_by="transformation", values=REFRESHED),),
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/refresh",
    ),
    Operation(
        name="sunshine",
        path="/sunshine",
        input=Sunshine,
        credits=Credits(amount=2),
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/sunshine",
        notes=(
            "The page was only seen in part: other fields pass unchecked, such as the sky.",
            "The regular mode at 1 credit is retired since 10 December 2025.",
        ),
    ),
    Operation(
        name="declutter",
        path="/declutter",
        input=Declutter,
        credits=Credits(amount=2, with_field={"mask": 1}),
        expected=EXPECTED,
        source="docs.gepettoapp.com, endpoints/declutter",
    ),
    Operation(
        name="upscale",
        path="/upscale",
        input=Upscale,
        expected=EXPECTED,
        source="docs.gepettoapp.com, webhooks and endpoints/get-job",
        notes=("Its own page was not seen: that it takes url is our inference.",),
    ),
    raw(expected=EXPECTED),
)

GEPETTO = ProviderFacts(
    name="gepetto",
    base_url="https://europe-west1-gepettoai.cloudfunctions.net/v1",
    limit=Limit(calls=120, window_s=60.0),
    poll_policy=PollPolicy(
        # Its webhook brings most results, so a poll is worth less than where all are polled for.
        first_s=25.0,
        shortest_s=5.0,
        longest_s=60.0,
        poll_worth=0.1,
    ),
    calls_back=True,
    # Only the page of the rooms was seen; the others' paths are inferred (gepetto.md 5).
    lists=("rooms", "styles", "skies"),
    operations={operation.name: operation for operation in OPERATIONS},
)
