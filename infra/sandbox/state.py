"""Everything that the sandbox keeps in memory, built once per process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from infra.sandbox import behaviours, worker
from infra.sandbox.behaviours import BehaviourRequests, JobBehaviour
from infra.sandbox.calls import CallLog
from infra.sandbox.clock import Action, Clock, Scheduler
from infra.sandbox.jobs import JobStore
from infra.sandbox.pictures import Pictures
from infra.sandbox.rendering import Render, noise_png
from infra.sandbox.worker import Fetch, RenderWorker, Send

RENDER_THREADS = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """How the providers behave.

    Attributes:
        render_s: Typical render time.
        gepetto_calls_per_minute: 0 switches the limit off, as for the next one.
        spacely_block_s: How long an account above its limit stays blocked.
        latency_s: The least time that a call to a provider takes.
        fetches_inputs: False ignores input images.
        draws_noise: Pictures are small and quickly made, but show nothing.
        strict_ids: Refuse ids that the provider's documentation does not print.
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
    draws_noise: bool = False
    strict_ids: bool = False
    behaviours: BehaviourRequests = field(default_factory=dict)


def _noise(render: Render, variant: int) -> bytes:
    return noise_png(render.ref, variant)


@dataclass(slots=True)
class SandboxState:
    """The state that both providers share.

    Attributes:
        behaviours: The present server-wide misbehaviour.
    """

    settings: Settings
    clock: Clock
    scheduler: Scheduler
    calls: CallLog
    jobs: JobStore
    pictures: Pictures
    worker: RenderWorker
    behaviours: BehaviourRequests

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        clock: Clock,
        run: Callable[[Action], object],
        fetch: Fetch,
        send: Send,
    ) -> Self:
        """Return an empty state.

        Args:
            run: Runs an action that is due; see `Scheduler`.
        """
        scheduler, jobs = Scheduler(clock=clock, run=run), JobStore()
        pictures = Pictures(_noise) if settings.draws_noise else Pictures()
        return cls(
            settings=settings,
            clock=clock,
            scheduler=scheduler,
            calls=CallLog(clock),
            jobs=jobs,
            pictures=pictures,
            worker=RenderWorker(
                clock, scheduler, jobs, pictures, fetch if settings.fetches_inputs else None, send
            ),
            behaviours=settings.behaviours,
        )

    @classmethod
    def started(cls, settings: Settings, clock: Clock) -> Self:
        """Return a state with real downloads and webhooks, its threads running."""
        pool = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="render")
        state = cls.build(
            settings, clock=clock, run=pool.submit, fetch=worker.fetch, send=worker.send
        )
        state.scheduler.start()
        return state

    def draw_behaviour(
        self, provider: str, asked: BehaviourRequests, *, number: int
    ) -> JobBehaviour:
        """Draw the behaviour of a job or a call."""
        return behaviours.draw(
            server=self.behaviours,
            job=asked,
            provider=provider,
            number=number,
            seed=self.settings.seed,
            typical_s=self.settings.render_s,
        )

    def reset(self) -> None:
        """Forget everything and return to the first behaviour."""
        self.behaviours = self.settings.behaviours
        self.scheduler.clear()
        self.jobs.clear()
        self.calls.clear()
        self.pictures.clear()
