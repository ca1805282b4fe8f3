"""One good input for every operation of the catalogue, as the providers' pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGE = "https://example.com/room.jpg"
PRODUCT = "https://example.com/chair.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One job that a caller may ask for.

    Attributes:
        path: Where a raw job goes; None for the others.
        credits: What it costs, None where that is not known.
    """

    provider: str
    operation: str
    input: Mapping[str, Any] = field(hash=False)
    path: str | None = None
    credits: float | None = None

    def __str__(self) -> str:
        return f"{self.provider} {self.operation}"


def _gepetto(
    operation: str, *, credits: float | None = None, path: str | None = None, **more: Any
) -> Sample:
    return Sample(
        provider="gepetto",
        operation=operation,
        input={"url": IMAGE, **more},
        credits=credits,
        path=path,
    )


def _spacely(
    operation: str, *, credits: float | None = None, path: str | None = None, **more: Any
) -> Sample:
    return Sample(provider="spacely", operation=operation, input=more, credits=credits, path=path)


SAMPLES = (
    _gepetto("redesign", styleId="demeures", roomId="living_room", creativity=14),
    _gepetto("creative-redesign", styleId="modern", roomId="bedroom"),
    _gepetto("furnish", styleId="modern", roomId="living_room", preserveWindows=True),
    _gepetto("smart-staging", styleId="modern", roomId="gaming_room"),
    _gepetto("smart-staging-v2", styleId="modern", roomId="outdoor_terrace"),
    _gepetto("refresh", transformation="walls", value="egg shell"),
    _gepetto("sunshine", credits=2, skyId="sunset"),
    _gepetto("declutter", credits=2),
    _gepetto("upscale"),
    _gepetto("raw", path="/upscale", factor=4),
    _spacely(
        "standard",
        credits=1,
        model="spacely-v1",
        imageUrl=IMAGE,
        spaceType="bedroom",
        spaceStyle="industrial_loft",
        spaceColor="",
        renovateType="exterior",
        styleUrl="",
        materialsIds=["paper_wallpaper", "porceline_tile"],
    ),
    _spacely(
        "advance",
        credits=1,
        model="spacely-v1",
        imageUrl=IMAGE,
        prompt="mid_century",
        nPrompt="",
        renovateType="commercial",
    ),
    _spacely(
        "style-transfer",
        credits=1,
        imageUrl=IMAGE,
        spaceType="kitchen",
        styleImageUrl=PRODUCT,
        renovateType="residential",
    ),
    _spacely(
        "furniture-placement",
        credits=1,
        imageUrl=IMAGE,
        productImageUrl=PRODUCT,
        placement={"x": 40, "y": 60.5, "w": 120, "h": 80},
        area={"x": 0, "y": 0, "w": 400, "h": 300},
    ),
    _spacely(
        "decoration-placement",
        credits=1,
        imageUrl=IMAGE,
        productImageUrl=PRODUCT,
        productWidth=0.6,
        productHeight=0.9,
        referenceLine=[{"x": 10, "y": 20}, {"x": 10, "y": 220}],
        lineLength=2.4,
        placement={"x": 40, "y": 60, "w": 30, "h": 45},
    ),
    _spacely("color-transfer", credits=1, imageUrl=IMAGE, area="wall", color="#0543F5"),
    _spacely("color-transfer-exact", imageUrl=IMAGE, area="floor", color="#0543F5"),
    _spacely(
        "two-point-perspective",
        credits=1,
        imageUrl=IMAGE,
        topCornerLine=[{"x": -3.5, "y": 12}, {"x": 210.25, "y": 40}, {"x": 600, "y": 8}],
        bottomCornerReferenceLine=[{"x": 5, "y": 380}, {"x": 208, "y": 330}, {"x": 590, "y": 390}],
        roomHeight=2.6,
    ),
    _spacely("text-to-image", prompt="a quiet reading corner", nPrompt=""),
    _spacely("raw", path="/generate/text-to-image", prompt="a sofa"),
)
BY_OPERATION = {(sample.provider, sample.operation): sample for sample in SAMPLES}


def sample_input(provider: str, operation: str, **changes: Any) -> dict[str, Any]:
    """Return the operation's good input with some fields changed."""
    return {**BY_OPERATION[provider, operation].input, **changes}
