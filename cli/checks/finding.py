"""The findings of a check."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The severity. FAIL: Clarion does not work, can lose data, or can disclose it."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report. subject: the dependency, in a word or two."""

    level: Level
    subject: str
    text: str


Check = Callable[[], AsyncIterator[Finding]]


def ok(subject: str, text: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str) -> Finding:
    """Return a finding that an operator should look at."""
    return Finding(Level.WARN, subject, text)


def fail(subject: str, text: str) -> Finding:
    """Return a finding that an operator must fix."""
    return Finding(Level.FAIL, subject, text)


def judge(good: object, subject: str, fine: str, broken: str) -> Finding:
    """Return ok(fine) if good, else fail(broken)."""
    return ok(subject, fine) if good else fail(subject, broken)
