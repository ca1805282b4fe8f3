"""Spacely's operations, as docs.enterprise.spacely.ai and public clients show them.

There is no one-point perspective: its page prints the path of the two-point one (spacely.md 3.7).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from relay.domain.catalogue.fields import (
    BoxInPicture,
    CompleteInput,
    ImageUrl,
    ImageUrlOrEmpty,
    Length,
    PartialBox,
    PartialInput,
    PartialPoint,
    Point,
)
from relay.domain.catalogue.operation import Credits, Expected, Operation, ProviderFacts, raw
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy

EXPECTED = Expected(
    seconds=30.0,
    source="what spacely-ai/changeroomcolor, the provider's own app, says of a colour change",
)
# Of every feature in introduction/credit-consumption.
ONE = Credits(amount=1)
ROOM = ["https://example.com/room.jpg"]
PRODUCT = ["https://example.com/chair.png"]
LINE = [{"x": 10, "y": 20}, {"x": 210.5, "y": 24}, {"x": 400, "y": 18}]
BOX = [{"x": 40, "y": 60, "w": 120, "h": 80}]

# The pages' examples first, then what a public client has, misspelt as there (spacely.md 3 and 7).
MODELS = ("spacely-v1", "spacely-unfurnished-space", "spacely-style-transfer")
SPACE_TYPES = (
    *("bedroom", "living_room", "kitchen", "bathroom", "dining_room", "bed_and_living_room"),
    *("living_and_dining_room", "dining_and_kitchen", "working_room", "home_gym", "home_office"),
    *("kids_room", "living_dining", "small_kitchen", "small_living_room", "toilet"),
    *("walk_in_closet", "patio", "small_garden"),
)
SPACE_STYLES = (
    *("modern", "minimalist", "industrial_loft", "contemporary", "halloween", "wes_anderson"),
    *("traditional", "rustic", "scandinavian", "mid_century", "zen", "modern_chinese", "coastal"),
    *("tropical", "y2k", "modern_thai_style", "famous_wizard_movie", "ryokan", "space"),
)
SPACE_COLORS = tuple(f"set_{number}" for number in range(1, 41))
MATERIALS = (
    *("paper_wallpaper", "particle_board", "porceline_tile", "vinyl_wallpaper"),
    *("fabric_wallpaper", "aluminum", "gold", "copper", "nickle", "laminate", "veneer", "mdf"),
    *("teck_wood", "oak", "walnut", "leather", "velvet", "clay_bricks", "marble", "teracotta"),
    *("slate", "concrete"),
)

Room = Annotated[ImageUrl, Meta(description="Picture of the room.", examples=ROOM)]
Product = Annotated[ImageUrl, Meta(description="Picture of the product.", examples=PRODUCT)]
Model = Annotated[str, Meta(min_length=1, description="Name of a model.", examples=["spacely-v1"])]
SpaceType = Annotated[
    str, Meta(min_length=1, description="What the room is.", examples=["bedroom"])
]
Colors = Annotated[str, Meta(description="Name of a set of colours.", examples=["set_1"])]
Reference = Annotated[
    ImageUrlOrEmpty, Meta(description="Picture of a further reference.", examples=ROOM)
]
Materials = Annotated[
    list[str], Meta(description="Names of materials.", examples=[["paper_wallpaper"]])
]
Prompt = Annotated[str, Meta(description="What to show.", examples=["mid_century"])]
NegativePrompt = Annotated[str, Meta(description="By its name, what not to show.", examples=[""])]
ThreePoints = Annotated[list[Point], Meta(min_length=3, max_length=3)]
Interior = Annotated[
    Literal["residential", "commercial"],
    Meta(description="What is renovated.", examples=["residential"]),
]
Building = Annotated[
    Literal["residential", "commercial", "exterior"],
    Meta(description="What is renovated.", examples=["residential"]),
]


class Standard(CompleteInput):
    """What `standard` takes; see spacely.md 3.1."""

    model: Model
    image_url: Room
    space_type: SpaceType
    space_style: Annotated[
        str, Meta(min_length=1, description="Name of a style.", examples=["industrial_loft"])
    ]
    renovate_type: Building
    space_color: Colors | UnsetType = UNSET
    style_url: Reference | UnsetType = UNSET
    materials_ids: Materials | UnsetType = UNSET


class Advance(CompleteInput):
    """What `advance` takes; see spacely.md 3.2."""

    model: Model
    image_url: Room
    renovate_type: Interior
    prompt: Prompt | UnsetType = UNSET
    n_prompt: NegativePrompt | UnsetType = UNSET


class StyleTransfer(CompleteInput):
    """What `style-transfer` takes; see spacely.md 3.3."""

    image_url: Room
    space_type: SpaceType
    style_image_url: Annotated[ImageUrl, Meta(description="Picture of the style.", examples=ROOM)]
    renovate_type: Building


class FurniturePlacement(CompleteInput):
    """What `furniture-placement` takes; see spacely.md 3.4."""

    image_url: Room
    product_image_url: Product
    placement: Annotated[BoxInPicture, Meta(description="Where the item is.", examples=BOX)]
    area: Annotated[
        BoxInPicture, Meta(description="Larger box in which the item may lie.", examples=BOX)
    ]


class DecorationPlacement(PartialInput):
    """What is known of what `decoration-placement` takes; see spacely.md 3.5."""

    image_url: Room
    product_image_url: Annotated[
        ImageUrl,
        Meta(
            description="Picture of the product without background.",
            examples=["https://example.com/lamp.png"],
        ),
    ]
    product_width: Annotated[
        Length, Meta(description="Real width, in the unit of `lineLength`.", examples=[0.6])
    ]
    product_height: Annotated[
        Length, Meta(description="Real height, in the unit of `lineLength`.", examples=[0.9])
    ]
    # The example has two; that there must not be more is said nowhere.
    reference_line: Annotated[
        list[PartialPoint],
        Meta(min_length=2, description="Points of a line of known length.", examples=[LINE[:2]]),
    ]
    line_length: Annotated[
        Length,
        Meta(description="Real length of `referenceLine`, in any unit.", examples=[2.4]),
    ]
    placement: Annotated[PartialBox, Meta(description="Where the item is.", examples=BOX)]


class ColorTransfer(PartialInput):
    """What is known of what both `color-transfer`s take; see spacely.md 3.8 and 4."""

    image_url: Room
    area: Annotated[
        Literal["wall", "ceiling", "floor"], Meta(description="What to paint.", examples=["wall"])
    ]
    color: Annotated[
        str, Meta(min_length=1, description="A colour, such as a hex code.", examples=["#0543F5"])
    ]


class TwoPointPerspective(CompleteInput):
    """What `two-point-perspective` takes; see spacely.md 3.6."""

    image_url: Room
    top_corner_line: Annotated[
        ThreePoints,
        Meta(description="Corner, middle and corner, left to right.", examples=[LINE]),
    ]
    bottom_corner_reference_line: Annotated[
        ThreePoints,
        Meta(description="Left to right, each 1 m from the real corner.", examples=[LINE]),
    ]
    room_height: Annotated[
        Length, Meta(description="Height of the room, in metres.", examples=[2.6])
    ]


class TextToImage(PartialInput):
    """What is known of what `text-to-image` takes; see spacely.md 4."""

    prompt: Annotated[
        str,
        Meta(min_length=1, description="What to show.", examples=["a quiet reading corner"]),
    ]
    n_prompt: NegativePrompt | UnsetType = UNSET


def _page(path: str) -> str:
    return f"docs.enterprise.spacely.ai, {path}"


SEEN_IN_CLIENTS = "Known from clients only: other fields pass unchecked."

OPERATIONS = (
    Operation(
        name="standard",
        path="/generate/standard",
        input=Standard,
        known_values={
            "model": MODELS,
            "spaceType": SPACE_TYPES,
            "spaceStyle": SPACE_STYLES,
            "spaceColor": SPACE_COLORS,
            "materialsIds": MATERIALS,
        },
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-spacely-ai-preset-styles"),
    ),
    Operation(
        name="advance",
        path="/generate/advance",
        input=Advance,
        known_values={"model": MODELS},
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-custom-input"),
        notes=("The page is vague on both prompts; nPrompt is a negative one by its name.",),
    ),
    Operation(
        name="style-transfer",
        path="/generate/style-transfer",
        input=StyleTransfer,
        known_values={"spaceType": SPACE_TYPES},
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-image-style-transferring"),
    ),
    Operation(
        name="furniture-placement",
        path="/generate/furniture-placement",
        input=FurniturePlacement,
        credits=ONE,
        expected=EXPECTED,
        source=_page("product-visualization-api/furniture-placement"),
    ),
    Operation(
        name="decoration-placement",
        path="/generate/decoration-placement",
        input=DecorationPlacement,
        credits=ONE,
        expected=EXPECTED,
        source=_page("product-visualization-api/decoration-placement"),
        notes=("The page was only seen in part: other fields pass unchecked.",),
    ),
    Operation(
        name="color-transfer",
        path="/generate/color-transfer",
        input=ColorTransfer,
        # Missing from the price list; see spacely.md 8 row 11.
        credits=ONE,
        expected=EXPECTED,
        source="public clients; the page exists but was not seen",
        notes=(SEEN_IN_CLIENTS, "The price is assumed: the price list does not have it."),
    ),
    Operation(
        name="color-transfer-exact",
        path="/generate/color-transfer-exact",
        input=ColorTransfer,
        expected=EXPECTED,
        source="spacely-ai/changeroomcolor, the provider's own app",
        notes=(SEEN_IN_CLIENTS,),
    ),
    Operation(
        name="two-point-perspective",
        path="/generate/two-point-perspective",
        input=TwoPointPerspective,
        credits=ONE,
        expected=EXPECTED,
        source=_page("precision-space-planning-api/2-point-perspective"),
    ),
    Operation(
        name="text-to-image",
        path="/generate/text-to-image",
        input=TextToImage,
        expected=EXPECTED,
        source="public clients",
        notes=(SEEN_IN_CLIENTS,),
    ),
    raw(expected=EXPECTED),
)

SPACELY = ProviderFacts(
    name="spacely",
    base_url="https://api.spacely.ai/api/v1",
    limit=Limit(calls=100, window_s=1.0),
    poll_policy=PollPolicy(first_s=2.0, shortest_s=1.0, longest_s=60.0),
    calls_back=False,
    # The path of Get Resources was seen nowhere (spacely.md 3.9).
    lists=(),
    operations={operation.name: operation for operation in OPERATIONS},
)
