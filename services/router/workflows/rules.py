"""Evaluates the rules of a workflow. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.router import filters
from services.router.workflows.facts import Facts
from services.router.workflows.steps import Rule


class Verdict(NamedTuple):
    """Whether a rule is met. error: why it could not be evaluated; then it is not met."""

    is_met: bool
    error: str = ""


class Rules:
    """The rules of a workflow at one look: what they see is written once for the same statuses."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        # All but the steps, as JSON; empty: no rule was asked yet.
        self._written = b""
        self._statuses: dict[str, str] | None = None
        self._seen: filters.Seen | None = None

    def verdict(self, rule: Rule, planned: Mapping[str, str]) -> Verdict:
        """Evaluate a rule. planned: what was decided of the steps that sent; a status of the facts counts before it.

        It sees {"contact", "event", "variables", "steps": {id: {"status"}}}.
        """
        statuses = {id_: self._facts.statuses.get(id_) or word for id_, word in planned.items()}
        if not rule.named_steps and self._seen is not None:
            statuses = self._statuses or {}  # it does not look at them
        if self._seen is None or statuses != self._statuses:
            self._statuses = statuses
            self._seen = filters.Seen(self._document(statuses))
        return Verdict(*self._seen.verdict(rule.filter))

    def _document(self, statuses: Mapping[str, str]) -> bytes:
        facts = self._facts
        if not self._written:
            seen = {"contact": facts.contact, "event": facts.event, "variables": facts.variables}
            self._written = msgspec.json.encode(seen).removesuffix(b"}")
        steps = msgspec.json.encode({id_: {"status": word} for id_, word in statuses.items()})
        return self._written + b',"steps":' + steps + b"}"
