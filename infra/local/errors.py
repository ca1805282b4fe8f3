"""Why the local stack does not run.

LocalStackError
├── EmulatorsUnavailable   no emulator, or no Java for it; the message says what to install
├── WrongEnvironment       a variable that the caller set makes no sense
├── StackFailed            a process could not be started, did not answer, or died
│   └── PortTaken          another program took a chosen port first: start again on others
└── Stopped                asked to stop while still starting
"""


class LocalStackError(Exception):
    """The local stack does not run."""


class EmulatorsUnavailable(LocalStackError):
    """An emulator, or a Java that can run it, is not on this machine and cannot be fetched."""


class WrongEnvironment(LocalStackError):
    """A variable in the caller's environment makes no sense."""


class StackFailed(LocalStackError):
    """A process could not be started, did not answer, or died."""


class PortTaken(StackFailed):
    """Another program took a port between our choosing it and our using it."""


class Stopped(LocalStackError):
    """The stack was asked to stop before it was up."""
