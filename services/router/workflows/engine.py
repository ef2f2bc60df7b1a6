"""Goes on with a workflow run: what is done now, and when to look again. Pure.

A run is where its tokens are. Each look moves every token whose time has come as far as it gets: until it waits, or the
run ends. A step is carried out at most once in a run, because there is no way back; so its id tells what it sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.domain.reasons import Reason
from services.router.workflows import delays
from services.router.workflows.document import Document, Follow
from services.router.workflows.facts import Facts
from services.router.workflows.rules import Rules
from services.router.workflows.state import State, Token
from services.router.workflows.steps import (
    EVERY_STEP,
    Condition,
    Delay,
    Parallel,
    Rule,
    Send,
    Step,
    Stop,
    Webhook,
    Within,
    inner,
)


class Record(NamedTuple):
    """What the run did, besides sending: fields and words of clarion.common.v1.WorkflowStep. step: empty: the run."""

    step: str
    outcome: str
    reason: str = ""
    detail: str = ""
    until_us: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a look. outputs: the steps to carry out now, in order. state: to be stored with them.

    wake_at_us: when to look again, Unix microseconds; 0: ended. reason: why it ended early; empty: it did not.
    """

    outputs: Sequence[Send | Webhook]
    records: Sequence[Record]
    state: State
    wake_at_us: int
    ended: bool
    reason: str


def advance(document: Document, state: State, facts: Facts, now_us: int) -> Decision:
    """Return what a run does now. A new run's state is State(); what has ended does nothing.

    A look before wake_at_us changes nothing. The same look gives the same decision, if facts.plan does.
    """
    return _Look(document, state, facts, now_us).decide()


def needs(document: Document, state: State) -> frozenset[str]:
    """Return the steps whose statuses the rules ahead may want: those of Facts.statuses. Empty: mostly."""
    if not document.named_steps or not state.statuses:
        return frozenset()
    named: set[str] = set()
    for step_id in _ahead(document, state):
        named |= document.named_steps.get(step_id, frozenset())
    return frozenset(state.statuses) if EVERY_STEP in named else frozenset(state.statuses.keys() & named)


class _Ended(Exception):
    """The run ends here. reason: why it cannot go on; empty: it was to end."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason


class _Look:
    """One call of advance()."""

    def __init__(self, document: Document, state: State, facts: Facts, now_us: int) -> None:
        self._document = document
        self._state = state
        self._facts = facts
        self._now_us = now_us
        self._rules = Rules(facts)
        self._joined = dict(state.joined)
        self._statuses = dict(state.statuses)
        self._outputs: list[Send | Webhook] = []
        self._records: list[Record] = []

    def decide(self) -> Decision:
        if self._state.is_started and not self._state.at:
            return Decision((), (), self._state, 0, ended=True, reason="")
        if self._state.is_started:
            tokens: Sequence[Token] = self._state.at
        else:
            self._note("", "started")
            tokens = self._first(self._document.steps, Follow())
        reason = ""
        try:
            waiting = self._move(tokens)
        except _Ended as ended:
            waiting, reason = [], ended.reason
        if not waiting:
            self._note("", "failed" if reason else "ended", reason=reason)
        return Decision(
            self._outputs,
            self._records,
            State(True, tuple(waiting), self._joined if waiting else {}, self._statuses),
            min((token.wake_at_us for token in waiting), default=0),
            ended=not waiting,
            reason=reason,
        )

    def _move(self, tokens: Sequence[Token]) -> list[Token]:
        """Move all tokens until each waits or is at its end; return those that wait."""
        waiting = []
        going = [*reversed(tokens)]
        while going:
            token = going.pop()
            if token.wake_at_us > self._now_us:
                waiting.append(token)
                continue
            step = self._document.by_id[token.step]
            going += reversed(self._go_on(step) if token.wake_at_us else self._enter(step))
        return waiting

    def _enter(self, step: Step) -> list[Token]:
        """Carry out a step; return where the run is then."""
        if step.only_if is not None and not self._is_met(step.only_if, step, ("", "passed_over")):
            return self._after(step)
        match step:
            case Send() | Webhook():
                self._outputs.append(step)
                self._statuses[step.id] = self._facts.plan(step)
            case Delay():
                return self._wait(step)
            case Condition():
                is_met = self._is_met(step.rule, step, ("condition_met", "condition_not_met"))
                return self._first(step.then if is_met else step.otherwise, self._document.follows[step.id])
            case Parallel():
                branches = (self._first(branch, Follow()) for branch in step.branches)
                return [token for branch in branches for token in branch]
            case Stop():
                self._note(step.id, "stopped")
                raise _Ended
        return self._after(step)

    def _go_on(self, step: Step) -> list[Token]:
        """Leave a step that has waited until now. If its hours are over since, because all was late, it waits again."""
        if isinstance(step, Delay) and isinstance(step.wait, Within):
            return self._wait(step)
        self._note(step.id, "went_on")
        return self._after(step)

    def _wait(self, step: Delay) -> list[Token]:
        wake = delays.wake(step.wait, self._facts, self._now_us)
        if wake.reason:
            self._note(step.id, "failed", reason=wake.reason, detail=wake.detail)
            raise _Ended(wake.reason)
        if wake.at_us <= self._now_us:
            self._note(step.id, "went_on")
            return self._after(step)
        self._note(step.id, "waiting", until_us=wake.at_us)
        return [Token(step.id, wake.at_us)]

    def _is_met(self, rule: Rule, step: Step, words: tuple[str, str]) -> bool:
        """Evaluate a rule, and note the word for what it says; empty: it needs no note."""
        verdict = self._rules.verdict(rule, self._statuses)
        word = words[0] if verdict.is_met else words[1]
        if word:
            self._note(step.id, word, reason=Reason.RULE_FAILED if verdict.error else "", detail=verdict.error)
        return verdict.is_met

    def _first(self, steps: Sequence[Step], end: Follow) -> list[Token]:
        """Return where a list of steps begins. end: what comes instead if it is empty."""
        return [Token(steps[0].id)] if steps else self._go(end)

    def _after(self, step: Step) -> list[Token]:
        return self._go(self._document.follows[step.id])

    def _go(self, follow: Follow) -> list[Token]:
        """Return where the run is after the end of a step; nowhere if other branches must come to their end first."""
        while not follow.step and follow.joins:
            parallel = self._document.by_id[follow.joins]
            joined = self._joined.pop(parallel.id, 0) + 1
            if joined < len(inner(parallel)):
                self._joined[parallel.id] = joined
                return []
            follow = self._document.follows[parallel.id]
        return [Token(follow.step)] if follow.step else []

    def _note(self, step: str, outcome: str, *, reason: str = "", detail: str = "", until_us: int = 0) -> None:
        self._records.append(Record(step, outcome, reason, detail, until_us))


def _ahead(document: Document, state: State) -> set[str]:
    """Return the ids of all steps that the run may still come to."""
    found: set[str] = set()
    going = [token.step for token in state.at if token.wake_at_us == 0]
    going += [step for token in state.at if token.wake_at_us for step in _next(document, token.step)]
    while going:
        id_ = going.pop()
        if id_ not in found:
            found.add(id_)
            going += [some[0].id for some in inner(document.by_id[id_]) if some]
            going += _next(document, id_)
    return found


def _next(document: Document, id_: str) -> list[str]:
    """Return what comes after a step, whatever other branches do."""
    follow = document.follows[id_]
    while not follow.step and follow.joins:
        follow = document.follows[follow.joins]
    return [follow.step] if follow.step else []
