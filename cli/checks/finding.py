"""The findings of a check."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum

# The remedy for what `clarion migrate` repairs.
MIGRATE = "Run `clarion migrate`."


class Level(Enum):
    """The severity. FAIL: Clarion does not work, can lose data, or can disclose it."""

    OK = "ok"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report. subject: the dependency, in a word or two; remedy: what to do, if something is wrong."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


Check = Callable[[], AsyncIterator[Finding]]


def ok(subject: str, text: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, remedy: str) -> Finding:
    """Return a finding that an operator should look at."""
    return Finding(Level.WARN, subject, text, remedy)


def fail(subject: str, text: str, remedy: str) -> Finding:
    """Return a finding that an operator must fix."""
    return Finding(Level.FAIL, subject, text, remedy)


def judge(good: object, subject: str, fine: str, broken: str, remedy: str) -> Finding:
    """Return ok(fine) if good, else fail(broken, remedy)."""
    return ok(subject, fine) if good else fail(subject, broken, remedy)
