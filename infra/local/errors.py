"""Why the local stack does not run.

LocalStackError
├── EmulatorsUnavailable   no emulator, or no Java for it; the message says what to install
├── WrongEnvironment       a variable in the caller's environment is invalid
├── StackFailed            a process could not be started, did not answer, or died
│   └── PortTaken          another program took a port after we chose it; retry on others
└── Stopped                the stack was asked to stop before it was up
"""


class LocalStackError(Exception):
    """The local stack does not run."""


class EmulatorsUnavailable(LocalStackError):
    """An emulator, or a Java that can run it, is missing and cannot be fetched."""


class WrongEnvironment(LocalStackError):
    """A variable in the caller's environment is invalid."""


class StackFailed(LocalStackError):
    """A process could not be started, did not answer, or died."""


class PortTaken(StackFailed):
    """Another program took a port after we chose it."""


class Stopped(LocalStackError):
    """The stack was asked to stop before it was up."""
