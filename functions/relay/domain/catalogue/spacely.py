"""Spacely's operations, as docs.enterprise.spacely.ai shows them."""

from relay.domain.catalogue.operation import Field, Kind, Operation, ProviderFacts
from relay.domain.limits import Limit
from relay.domain.rhythm import Rhythm

IMAGE = Field(name="imageUrl", kind=Kind.IMAGE_URL, required=True)
MODEL = Field(name="model", kind=Kind.TEXT, required=True)
SPACE_TYPE = Field(name="spaceType", kind=Kind.TEXT, required=True)
RENOVATE_TYPE = Field(
    name="renovateType",
    kind=Kind.TEXT,
    required=True,
    values=("residential", "commercial", "exterior"),
)


def _optional_text(name: str) -> Field:
    return Field(name=name, kind=Kind.TEXT, required=False, may_be_empty=True)


OPERATIONS = (
    Operation(
        name="standard",
        path="/generate/standard",
        fields=(
            MODEL,
            IMAGE,
            SPACE_TYPE,
            Field(name="spaceStyle", kind=Kind.TEXT, required=True),
            _optional_text("spaceColor"),
            RENOVATE_TYPE,
            Field(name="styleUrl", kind=Kind.IMAGE_URL, required=False, may_be_empty=True),
            Field(name="materialsIds", kind=Kind.TEXTS, required=False),
        ),
        is_complete=True,
        credits=1,
        source="docs.enterprise.spacely.ai, create-renders-from-spacely-ai-preset-styles",
    ),
    Operation(
        name="advance",
        path="/generate/advance",
        fields=(
            MODEL,
            IMAGE,
            _optional_text("prompt"),
            _optional_text("nPrompt"),
            Field(
                name="renovateType",
                kind=Kind.TEXT,
                required=True,
                values=("residential", "commercial"),
            ),
        ),
        is_complete=True,
        credits=1,
        source="docs.enterprise.spacely.ai, create-renders-from-custom-input",
    ),
    Operation(
        name="style-transfer",
        path="/generate/style-transfer",
        fields=(
            IMAGE,
            SPACE_TYPE,
            Field(name="styleImageUrl", kind=Kind.IMAGE_URL, required=True),
            RENOVATE_TYPE,
        ),
        is_complete=True,
        credits=1,
        source="docs.enterprise.spacely.ai, create-renders-from-image-style-transferring",
    ),
)

SPACELY = ProviderFacts(
    name="spacely",
    base_url="https://api.spacely.ai/api/v1",
    limit=Limit(calls=100, window_s=1.0),
    rhythm=Rhythm(
        first_s=4.0, shortest_s=3.0, longest_s=30.0, share_of_age=0.2, resubmit_after_s=0.0
    ),
    calls_back=False,
    operations={operation.name: operation for operation in OPERATIONS},
)
