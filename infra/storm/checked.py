"""A storm from the start of its stack to the last check; the command line and the test use it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.settings import machine_environment
from infra.local.stack import running_stack
from infra.local.stopping import StopRequest
from infra.simulator.checker import Violation
from infra.storm.checks import all_violations
from infra.storm.figures import Figure, figures
from infra.storm.report import as_markdown
from infra.storm.run import Storm, Stormed
from infra.storm.settings import INSTANCES, StormSettings
from infra.storm.story import evidence_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a storm came to."""

    stormed: Stormed
    figures: tuple[Figure, ...]
    violations: tuple[Violation, ...]
    evidence: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether everything holds."""
        return not self.violations

    def lines(self) -> Iterator[str]:
        """Return the outcome for a terminal."""
        yield ""
        for one in self.figures:
            yield f"  {one.what:<40} {one.value}"
        yield ""
        for violation in self.violations:
            yield f"VIOLATION {violation}"
        yield from self.evidence

    def markdown(self, *, command: str) -> str:
        """Return the outcome as a document."""
        return as_markdown(self.figures, self.violations, self.evidence, command=command)


def storm_and_check(
    settings: StormSettings,
    *,
    stack_file: Path,
    functions: Path,
    env: Mapping[str, str],
    say: Callable[[str], None],
    stop: StopRequest,
) -> Checked:
    """Run a storm on a stack of its own, and check what was seen.

    Args:
        functions: The directory that holds main.py.
        env: The caller's environment; nothing in it changes the storm.

    Raises:
        EmulatorsUnavailable: Says what to install.
        LocalStackError: The stack did not come up, or ended.
        StormError: What was seen cannot be read.
    """
    with running_stack(
        stack_file=stack_file,
        env={**_machine(env), **settings.environment},
        functions=functions,
        instances=INSTANCES,
        stop=stop,
    ) as stack:
        names = ", ".join(stack.description.pids)
        jobs = f"{settings.jobs} jobs and {settings.hostile} hostile ones"
        say(f"{jobs}, seed {settings.seed}; two processes a function: {names}")
        stormed = Storm(stack, settings=settings, say=say, stop=stop).run()
        logs = {name: stack.log(name) for name in stack.description.pids}
    found = all_violations(stormed.evidence, limits=settings.limits)
    return Checked(
        stormed=stormed,
        figures=figures(stormed, settings=settings, found=found),
        violations=found,
        evidence=tuple(evidence_for(found, stormed.evidence, logs=logs)),
    )


def _machine(env: Mapping[str, str]) -> dict[str, str]:
    machine = machine_environment(env)
    return {name: value for name, value in machine.items() if not name.startswith("LOCAL_")}
