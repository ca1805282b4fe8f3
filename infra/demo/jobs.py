"""The twelve jobs of the demo as data: the input, and the trouble that is added."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

GEPETTO = "gepetto"
SPACELY = "spacely"

_IMAGE_FIELD = {GEPETTO: "url", SPACELY: "imageUrl"}
_PICTURES = {GEPETTO: 1, SPACELY: 4}
_LOST_WEBHOOK = "webhook-lost"
_FAILING_RENDER = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoJob:
    """One job, and how the sandbox misbehaves for it.

    Attributes:
        room: The sandbox's sample room that is the picture before.
        style_room: The sample room whose style is transferred; empty for other operations.
        has_callback: Whether its events are posted to the receiver as well.
        caption: The wanted picture, in words for people.
        trouble: The misbehaviour in words for people; empty for none.
        behaviour: The misbehaviour in the sandbox's syntax.
    """

    number: int
    provider: str
    operation: str
    room: str
    inputs: Mapping[str, str | int]
    caption: str
    trouble: str = ""
    behaviour: str = ""
    style_room: str = ""
    has_callback: bool = False

    @property
    def pictures(self) -> int:
        """How many pictures the provider makes of a room."""
        return _PICTURES[self.provider]

    @property
    def loses_webhook(self) -> bool:
        """Whether the provider's callback is never sent."""
        return self.behaviour == _LOST_WEBHOOK

    @property
    def fails(self) -> bool:
        """Whether the render is made to fail."""
        return self.behaviour == _FAILING_RENDER

    def body(self, sandbox_url: str, *, receiver_url: str = "") -> dict[str, object]:
        """Return what is posted to the relay; without a receiver nothing is called back."""
        query = {"n": str(self.number)}
        if self.behaviour:
            query["sandbox"] = self.behaviour
        image_url = f"{room_url(sandbox_url, self.room)}?{urlencode(query)}"
        inputs: dict[str, object] = {**self.inputs, _IMAGE_FIELD[self.provider]: image_url}
        if self.style_room:
            inputs["styleImageUrl"] = room_url(sandbox_url, self.style_room)
        return {
            "provider": self.provider,
            "operation": self.operation,
            "input": inputs,
            "metadata": {"demo": str(self.number)},
            # A function killed during a submission leaves a job that the provider may or may
            # not have accepted; this allows the relay to submit it again.
            "onUnconfirmed": "resubmit",
            **({"callbackUrl": receiver_url} if self.has_callback and receiver_url else {}),
        }


def room_url(sandbox_url: str, room: str) -> str:
    """Return the URL of a sample room."""
    return f"{sandbox_url}/rooms/{room}.jpg"


_SPACELY_HOME = {"model": "spacely-v1", "renovateType": "residential"}
_SPACELY_WORK = {"model": "spacely-v1", "renovateType": "commercial"}
_CALM, _BRIGHT = "a calm office with warm wood", "a bright living room in soft colours"

JOBS = (
    DemoJob(number=1, provider=GEPETTO, operation="redesign", room="living",
            inputs={"styleId": "mid_century", "roomId": "living_room", "creativity": 14},
            caption="mid-century living room", has_callback=True),
    DemoJob(number=2, provider=GEPETTO, operation="redesign", room="dining",
            inputs={"styleId": "demeures", "roomId": "dining_room", "creativity": 8},
            caption="manor-house dining room",
            trouble="webhook lost", behaviour=_LOST_WEBHOOK),
    DemoJob(number=3, provider=GEPETTO, operation="furnish", room="loft",
            inputs={"styleId": "modern", "roomId": "living_room"},
            caption="modern living room",
            trouble="webhook twice", behaviour="webhook-twice"),
    DemoJob(number=4, provider=GEPETTO, operation="furnish", room="loft",
            inputs={"styleId": "coastal", "roomId": "dining_room"},
            caption="coastal dining room",
            trouble="503 at first", behaviour="submit-503=1"),
    DemoJob(number=5, provider=GEPETTO, operation="smart-staging-v2", room="loft",
            inputs={"styleId": "scandinavian", "roomId": "bedroom"},
            caption="Scandinavian bedroom",
            trouble="webhook early", behaviour="webhook-early"),
    DemoJob(number=6, provider=GEPETTO, operation="smart-staging-v2", room="loft",
            inputs={"styleId": "tropical", "roomId": "home_office"},
            caption="tropical home office",
            trouble="429 at first", behaviour="submit-429=1"),
    DemoJob(number=7, provider=SPACELY, operation="standard", room="bedroom",
            inputs={**_SPACELY_HOME, "spaceType": "bedroom", "spaceStyle": "deep_blue"},
            caption="deep-blue bedroom"),
    DemoJob(number=8, provider=SPACELY, operation="standard", room="kitchen",
            inputs={**_SPACELY_HOME, "spaceType": "kitchen", "spaceStyle": "zen"},
            caption="zen kitchen",
            trouble="503 at first", behaviour="submit-503=1"),
    DemoJob(number=9, provider=SPACELY, operation="advance", room="office",
            inputs={**_SPACELY_WORK, "prompt": _CALM},
            caption="calm office",
            trouble="first poll: 500", behaviour="poll-500=1"),
    DemoJob(number=10, provider=SPACELY, operation="advance", room="living",
            inputs={**_SPACELY_HOME, "prompt": _BRIGHT},
            caption="bright living room",
            trouble="cold model, 8 s", behaviour="cold-s=8"),
    DemoJob(number=11, provider=SPACELY, operation="style-transfer", room="bedroom",
            style_room="dining",
            inputs={"spaceType": "bedroom", "renovateType": "residential"},
            caption="in another picture's style"),
    DemoJob(number=12, provider=SPACELY, operation="style-transfer", room="kitchen",
            style_room="living",
            inputs={"spaceType": "kitchen", "renovateType": "residential"},
            caption="in another picture's style",
            trouble="render fails", behaviour=_FAILING_RENDER),
)  # fmt: skip
