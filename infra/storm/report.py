"""The outcome of a storm as a document."""

from collections.abc import Sequence
from datetime import UTC, datetime

from infra.simulator.checker import Violation
from infra.storm.figures import Figure

INTRODUCTION = (
    "Two processes of each function run on the emulators and the sandbox of both providers. While",
    "jobs go through them, one process after another is killed, the store and a pump are paused,",
    "and renders, webhooks and answers go wrong. Then all is left alone until every job has come",
    "to its end, and what a listener in Firestore, a subscriber and the providers saw is checked:",
    "by the simulator's checker of P1 to P6, and by the storm's own (`infra/storm/checks.py`).",
)


def as_markdown(
    shown: Sequence[Figure], found: Sequence[Violation], evidence: Sequence[str], *, command: str
) -> str:
    """Return the report as a document."""
    lines = [
        "# A storm over real processes",
        "",
        *INTRODUCTION,
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
        "| what | figures |",
        "| --- | --- |",
        *(f"| {one.what} | {one.value} |" for one in shown),
        "",
        "## Violations",
        "",
        *([f"- {one}" for one in found] or ["None."]),
    ]
    if evidence:
        lines += ["", "## Evidence", "", "```", *evidence, "```"]
    return "\n".join(lines) + "\n"
