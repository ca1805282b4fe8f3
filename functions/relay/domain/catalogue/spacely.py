"""Spacely's operations, as docs.enterprise.spacely.ai and public clients show them.

There is no one-point perspective: its page prints the path of the two-point one (spacely.md 3.7).
"""

from relay.domain.catalogue.operation import Credits, Expected, Field, Operation, ProviderFacts
from relay.domain.catalogue.raw import raw
from relay.domain.catalogue.shapes import Box, ImageUrl, Number, Points, Text, Texts
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy

EXPECTED = Expected(
    seconds=30.0,
    source="what spacely-ai/changeroomcolor, the provider's own app, says of a colour change",
)
# Of every feature in introduction/credit-consumption.
ONE = Credits(amount=1)

IMAGE = Field(name="imageUrl", shape=ImageUrl(), required=True)
PRODUCT = Field(name="productImageUrl", shape=ImageUrl(), required=True)
MODEL = Field(name="model", shape=Text(), required=True)
SPACE_TYPE = Field(name="spaceType", shape=Text(), required=True)
INTERIORS = ("residential", "commercial")
PAINTED = (
    IMAGE,
    Field(name="area", shape=Text(values=("wall", "ceiling", "floor")), required=True),
    Field(name="color", shape=Text(), required=True),
)

SEEN_IN_PART = "The page was only seen in part: other fields pass unchecked."
SEEN_IN_CLIENTS = "Known from clients only: other fields pass unchecked."


def _page(path: str) -> str:
    return f"docs.enterprise.spacely.ai, {path}"


def _optional_text(name: str) -> Field:
    return Field(name=name, shape=Text(may_be_empty=True), required=False)


def _renovate_type(*values: str) -> Field:
    return Field(name="renovateType", shape=Text(values=values), required=True)


def _length(name: str) -> Field:
    return Field(name=name, shape=Number(above=0), required=True)


def _box(name: str, *, may_begin_outside: bool) -> Field:
    shape = Box(may_begin_outside=may_begin_outside)
    return Field(name=name, shape=shape, required=True)


def _three_points(name: str) -> Field:
    return Field(name=name, shape=Points(fewest=3, most=3), required=True)


OPERATIONS = (
    Operation(
        name="standard",
        path="/generate/standard",
        fields=(
            MODEL,
            IMAGE,
            SPACE_TYPE,
            Field(name="spaceStyle", shape=Text(), required=True),
            _optional_text("spaceColor"),
            _renovate_type(*INTERIORS, "exterior"),
            Field(name="styleUrl", shape=ImageUrl(may_be_empty=True), required=False),
            Field(name="materialsIds", shape=Texts(), required=False),
        ),
        is_complete=True,
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-spacely-ai-preset-styles"),
    ),
    Operation(
        name="advance",
        path="/generate/advance",
        fields=(
            MODEL,
            IMAGE,
            _optional_text("prompt"),
            _optional_text("nPrompt"),
            _renovate_type(*INTERIORS),
        ),
        is_complete=True,
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-custom-input"),
        notes=("The page is vague on both prompts; nPrompt is a negative one by its name.",),
    ),
    Operation(
        name="style-transfer",
        path="/generate/style-transfer",
        fields=(
            IMAGE,
            SPACE_TYPE,
            Field(name="styleImageUrl", shape=ImageUrl(), required=True),
            _renovate_type(*INTERIORS, "exterior"),
        ),
        is_complete=True,
        credits=ONE,
        expected=EXPECTED,
        source=_page("instant-rendering-api/create-renders-from-image-style-transferring"),
    ),
    Operation(
        name="furniture-placement",
        path="/generate/furniture-placement",
        fields=(
            IMAGE,
            PRODUCT,
            _box("placement", may_begin_outside=False),
            _box("area", may_begin_outside=False),
        ),
        is_complete=True,
        credits=ONE,
        expected=EXPECTED,
        source=_page("product-visualization-api/furniture-placement"),
    ),
    Operation(
        name="decoration-placement",
        path="/generate/decoration-placement",
        fields=(
            IMAGE,
            PRODUCT,
            _length("productWidth"),
            _length("productHeight"),
            # The example has two; that there must not be more is said nowhere.
            Field(name="referenceLine", shape=Points(fewest=2, most=None), required=True),
            _length("lineLength"),
            _box("placement", may_begin_outside=True),
        ),
        is_complete=False,
        credits=ONE,
        expected=EXPECTED,
        source=_page("product-visualization-api/decoration-placement"),
        notes=(SEEN_IN_PART,),
    ),
    Operation(
        name="color-transfer",
        path="/generate/color-transfer",
        fields=PAINTED,
        is_complete=False,
        # Missing from the price list; see spacely.md 8 row 11.
        credits=ONE,
        expected=EXPECTED,
        source="public clients; the page exists but was not seen",
        notes=(SEEN_IN_CLIENTS, "The price is assumed: the price list does not have it."),
    ),
    Operation(
        name="color-transfer-exact",
        path="/generate/color-transfer-exact",
        fields=PAINTED,
        is_complete=False,
        credits=Credits(amount=None),
        expected=EXPECTED,
        source="spacely-ai/changeroomcolor, the provider's own app",
        notes=(SEEN_IN_CLIENTS,),
    ),
    Operation(
        name="two-point-perspective",
        path="/generate/two-point-perspective",
        fields=(
            IMAGE,
            _three_points("topCornerLine"),
            _three_points("bottomCornerReferenceLine"),
            _length("roomHeight"),
        ),
        is_complete=True,
        credits=ONE,
        expected=EXPECTED,
        source=_page("precision-space-planning-api/2-point-perspective"),
    ),
    Operation(
        name="text-to-image",
        path="/generate/text-to-image",
        fields=(Field(name="prompt", shape=Text(), required=True), _optional_text("nPrompt")),
        is_complete=False,
        credits=Credits(amount=None),
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
    operations={operation.name: operation for operation in OPERATIONS},
)
