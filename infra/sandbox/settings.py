"""What the sandbox is started with."""

from dataclasses import dataclass, field

from infra.sandbox.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Settings:
    """How the providers behave.

    Attributes:
        render_s: Typical render time.
        gepetto_calls_per_minute: 0 switches the limit off, as for the next one.
        spacely_block_s: How long an account above its limit stays blocked.
        latency_s: How long every call to a provider takes at least.
        fetches_inputs: False leaves input images alone.
        behaviours: Server-wide misbehaviour.
    """

    gepetto_key: str = "sandbox-gepetto-key"
    spacely_key: str = "sandbox-spacely-key"
    render_s: float = 3.0
    seed: int = 1
    gepetto_calls_per_minute: int = 120
    spacely_calls_per_second: int = 100
    spacely_block_s: float = 60.0
    latency_s: float = 0.0
    fetches_inputs: bool = True
    behaviours: Wishes = field(default_factory=dict)
