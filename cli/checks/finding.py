"""What a check finds."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is: FAIL means that Clarion does not work, or loses or shows what it must not."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. subject: the part it is about, in a word or two."""

    level: Level
    subject: str
    text: str


Check = Callable[[], AsyncIterator[Finding]]


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str) -> Finding:
    """It works, but somebody should look."""
    return Finding(Level.WARN, subject, text)


def fail(subject: str, text: str) -> Finding:
    """It must be mended."""
    return Finding(Level.FAIL, subject, text)


def judge(good: object, subject: str, fine: str, broken: str) -> Finding:
    """Return ok with fine, or fail with broken."""
    return ok(subject, fine) if good else fail(subject, broken)
