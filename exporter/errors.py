"""Every error this package raises on purpose, by what its reader has to do.

::

    ExporterError
    ├── ConfigError       the configuration is wrong: mend it (exit code 2)
    ├── StartError        the process cannot start here: a busy port, a missing file (exit code 1)
    ├── WireError         a 200 from X cannot be read: asked again, at most three times
    ├── CredentialsError  X cannot be asked on this account's behalf: mend the credentials
    └── JournalError      the journal of figures cannot be used now: mend what the text names
        └── JournalUnreadableError  its file is torn or foreign: it may be set aside

What X answers instead of figures is not an exception but a value, `exporter.xapi.failures.Failure`,
since it is an ordinary state here: an endpoint that the plan does not include is not a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ExporterError(Exception):
    """Root of the tree; its text is fit to be shown to a person as it is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a configuration file.

    `line` and `column` count from 1 and are 0 where the file as a whole is meant. `path` is the
    key's dotted path, such as ``accounts[0].media[2].id``, empty for the whole file. `message` says
    what was found and what is allowed, and never repeats a secret.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(ExporterError):
    """A configuration that cannot be used; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class StartError(ExporterError):
    """The process cannot do its work on this machine; the text names the thing and the cure."""


class WireError(ExporterError):
    """An answer of X whose envelope cannot be read.

    `path` is the JSON path of the place, such as ``$.data[0].timestamped_metrics``; `problem` says
    what stands there and what was expected, without quoting the body.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class CredentialsError(ExporterError):
    """An account's credentials cannot be used; the text says which and what to do, never the secret."""


class JournalError(ExporterError):
    """The journal of figures cannot be used now; the text says what is wrong, where, and what to do."""


class JournalUnreadableError(JournalError):
    """The journal's file is torn, foreign or no database: only setting it aside helps."""
