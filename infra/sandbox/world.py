"""Everything the sandbox remembers, built once per process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.sandbox.calls import CallLog
from infra.sandbox.clock import Clock
from infra.sandbox.download import download
from infra.sandbox.gallery import Gallery
from infra.sandbox.jobs import Jobs
from infra.sandbox.plan import Plan, plan
from infra.sandbox.settings import Settings
from infra.sandbox.studio import Download, Studio
from infra.sandbox.timetable import Action, Timetable
from infra.sandbox.webhooks import Send, post
from infra.sandbox.wishes import Wishes

RENDER_THREADS = 32


@dataclass(slots=True)
class World:
    """What both providers share.

    Attributes:
        behaviours: The present server-wide misbehaviour.
    """

    settings: Settings
    clock: Clock
    timetable: Timetable
    calls: CallLog
    jobs: Jobs
    gallery: Gallery
    studio: Studio
    behaviours: Wishes

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        clock: Clock,
        run: Callable[[Action], object],
        fetch: Download,
        send: Send,
    ) -> "World":
        """Put a world together.

        Args:
            run: Carries out what has fallen due, see `Timetable`.
        """
        timetable = Timetable(clock=clock, run=run)
        jobs, gallery = Jobs(), Gallery()
        wanted = fetch if settings.fetches_inputs else None
        studio = Studio(clock, timetable, jobs, gallery, wanted, send)
        calls = CallLog(clock)
        return cls(settings, clock, timetable, calls, jobs, gallery, studio, settings.behaviours)

    @classmethod
    def started(cls, settings: Settings, clock: Clock) -> "World":
        """Return a world of real downloads and webhooks, its threads running."""
        pool = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="render")
        world = cls.build(settings, clock=clock, run=pool.submit, fetch=download, send=post)
        world.timetable.start()
        return world

    def plan_for(self, provider: str, asked: Wishes, *, number: int) -> Plan:
        """Draw what befalls a job or a call."""
        return plan(
            server=self.behaviours,
            job=asked,
            provider=provider,
            number=number,
            seed=self.settings.seed,
            typical_s=self.settings.render_s,
        )

    def reset(self) -> None:
        """Forget everything, and misbehave as at the start."""
        self.behaviours = self.settings.behaviours
        self.timetable.clear()
        self.jobs.clear()
        self.calls.clear()
        self.gallery.clear()
