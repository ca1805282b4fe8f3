"""Gepetto's operations, as docs.gepettoapp.com shows them."""

from relay.domain.catalogue.operation import (
    Credits,
    DependentValues,
    Expected,
    Field,
    Operation,
    ProviderFacts,
)
from relay.domain.catalogue.raw import raw
from relay.domain.catalogue.shapes import Flag, ImageUrl, Number, Text
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy

EXPECTED = Expected(
    seconds=30.0,
    source="our guess: only the minutes of a cold start are documented (introduction/cold-boots)",
)
# Most pages show no price, and two only an old one in euros.
UNKNOWN = Credits(amount=None)

URL = Field(name="url", shape=ImageUrl(), required=True)
MASK = Field(name="mask", shape=ImageUrl(), required=False)
STYLE = Field(name="styleId", shape=Text(), required=True)
ROOM = Field(name="roomId", shape=Text(), required=True)

REFRESHED = {
    "walls": (
        "white",
        "egg shell",
        "black",
        "gray",
        "blue",
        "deep blue",
        "olive",
        "terracotta",
    ),
    # An older page has hardwood too; see gepetto.md 9 row 5.
    "floor": ("parquet", "tile", "marble", "carpet", "concrete"),
}

MASK_IS_AMBIGUOUS = "The page says of the mask both that it preserves and that it modifies."


def _page(path: str) -> str:
    return f"docs.gepettoapp.com, {path}"


def _flag(name: str) -> Field:
    return Field(name=name, shape=Flag(), required=False)


def _room_of(*values: str) -> Field:
    return Field(name="roomId", shape=Text(values=values), required=True)


OPERATIONS = (
    Operation(
        name="redesign",
        path="/redesign",
        fields=(
            URL,
            STYLE,
            ROOM,
            Field(name="creativity", shape=Number(least=0, most=30), required=True),
            MASK,
            _flag("preserveWindows"),
            _flag("preserveWalls"),
            _flag("preserveCeiling"),
            _flag("preserveFloor"),
        ),
        is_complete=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("endpoints/redesign"),
        notes=(MASK_IS_AMBIGUOUS, "With a mask the preserve flags are ignored."),
    ),
    Operation(
        name="creative-redesign",
        path="/creative-redesign",
        fields=(URL, STYLE, ROOM),
        is_complete=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("endpoints/creative-redesign"),
    ),
    Operation(
        name="furnish",
        path="/furnish",
        fields=(
            URL,
            Field(name="roomId", shape=Text(), required=False),
            Field(name="furnitureId", shape=Text(), required=False),
            STYLE,
            MASK,
            _flag("preserveWindows"),
        ),
        exactly_one_of=("roomId", "furnitureId"),
        is_complete=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("endpoints/furnish"),
        notes=("With a mask, preserveWindows is ignored.",),
    ),
    Operation(
        name="smart-staging",
        path="/smart-staging",
        fields=(
            URL,
            _room_of("living_room", "bedroom", "dining_room", "home_office", "gaming_room"),
            STYLE,
        ),
        is_complete=True,
        is_legacy=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("legacy-endpoints/smart-staging-v1"),
        notes=("For empty rooms only.", "smart-staging-v2 is advised instead."),
    ),
    Operation(
        name="smart-staging-v2",
        path="/smart-staging-v2",
        fields=(
            URL,
            _room_of(
                "living_room",
                "living_dining",
                "kitchen_living",
                "bedroom",
                "dining_room",
                "home_office",
                "outdoor_terrace",
                "kitchen",
            ),
            STYLE,
        ),
        is_complete=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("endpoints/smart-staging-v2"),
        notes=("The page names kitchen above its table but not in it: it may be refused.",),
    ),
    Operation(
        name="refresh",
        path="/refresh",
        fields=(
            URL,
            Field(name="transformation", shape=Text(values=tuple(REFRESHED)), required=True),
            Field(name="value", shape=Text(), required=True),
        ),
        dependent=(DependentValues(field="value", given_by="transformation", values=REFRESHED),),
        is_complete=True,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("endpoints/refresh"),
    ),
    Operation(
        name="sunshine",
        path="/sunshine",
        fields=(URL,),
        is_complete=False,
        credits=Credits(amount=2),
        expected=EXPECTED,
        source=_page("endpoints/sunshine"),
        notes=(
            "The page was only seen in part: other fields pass unchecked, such as the sky.",
            "The regular mode at 1 credit is retired since 10 December 2025.",
        ),
    ),
    Operation(
        name="declutter",
        path="/declutter",
        fields=(URL, MASK),
        is_complete=True,
        credits=Credits(amount=2, with_field={"mask": 1}),
        expected=EXPECTED,
        source=_page("endpoints/declutter"),
    ),
    Operation(
        name="upscale",
        path="/upscale",
        fields=(URL,),
        is_complete=False,
        credits=UNKNOWN,
        expected=EXPECTED,
        source=_page("webhooks and endpoints/get-job"),
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
    operations={operation.name: operation for operation in OPERATIONS},
)
