"""Dry runs: what would be sent, when, and why not otherwise."""

from typing import Any

from clarion.common.v1 import event_pb2
from services.domain.reasons import Reason
from services.router.workflows.document import Document
from services.router.workflows.dry_run import DryStep, PlannedStep, dry_run
from services.router.workflows.facts import Facts
from tests.unit.router.workflows.building import condition, delay, document, parallel, send, stop, var, wait

# 2026-05-01T08:00:00Z, a Friday.
START_US = 1_777_622_400_000_000
MINUTE_US = 60_000_000


def _dry(of: Document, facts: Facts | None = None, **outcomes: str) -> list[DryStep]:
    return list(
        dry_run(of, facts or Facts(), lambda step: PlannedStep("", f"version of {step.id}"), outcomes, START_US)
    )


def _brief(steps: list[DryStep]) -> list[tuple[str, str, int]]:
    return [(one.step, one.outcome, (one.at_us - START_US) // MINUTE_US) for one in steps]


def test_it_goes_through_all_waits() -> None:
    """With the time of each step."""
    found = _dry(
        document(
            send("a"),
            delay("d", 3600),
            parallel("p", [wait("u", until={"time": "12:00", "timezone": "UTC"})], [send("b", "SMS")]),
            send("c", "PUSH"),
        )
    )
    assert _brief(found) == [
        ("a", "sent", 0),
        ("d", "waiting", 0),
        ("d", "went_on", 60),
        ("u", "waiting", 60),
        ("b", "sent", 60),
        ("u", "went_on", 240),
        ("c", "sent", 240),
    ]
    first, waiting = found[:2]
    assert (first.kind, first.channel, first.template_version_id) == ("send", event_pb2.CHANNEL_EMAIL, "version of a")
    assert (first.detail, waiting.detail) == ("Sends order.paid by EMAIL.", "Waits until 2026-05-01T09:00:00Z.")
    assert (waiting.kind, waiting.channel) == ("delay", None)


def test_what_is_skipped_says_why_and_later_rules_know_it() -> None:
    """As in a real run, where it is known at once."""

    def plan(step: Any) -> PlannedStep:
        return PlannedStep(Reason.MISSING_EMAIL if step.id == "a" else "")

    is_skipped = {"==": [var("steps.a.status"), "skipped"]}
    fallback = condition("c", is_skipped, [send("b", "SMS")])
    of = document(send("a"), fallback, delay("d"), send("e", only_if=is_skipped))
    found = dry_run(of, Facts(), plan, {}, START_US)
    assert [(one.step, one.outcome, one.reason) for one in found] == [
        ("a", "skipped", Reason.MISSING_EMAIL),
        ("c", "condition_met", ""),
        ("b", "sent", ""),
        ("d", "waiting", ""),
        ("d", "went_on", ""),
        ("e", "sent", ""),  # it stays skipped, however late it is
    ]
    assert found[0].detail == Reason.MISSING_EMAIL.text


def test_outcomes_are_those_that_are_asked_for() -> None:
    """Once time has passed; right after the step nobody can know them. Where none is named it was sent."""

    def opened(word: str) -> dict[str, Any]:
        return {"==": [var("steps.a.status"), word]}

    of = document(
        send("a"),
        condition("at_once", opened("queued"), []),
        delay("d"),
        condition("later", opened("bounced"), [stop("s")], [send("b")]),
    )
    assert _brief(_dry(of))[1::3] == [("at_once", "condition_met", 0), ("later", "condition_not_met", 1)]
    assert _brief(_dry(of, a="bounced"))[1:] == [
        ("at_once", "condition_met", 0),
        ("d", "waiting", 0),
        ("d", "went_on", 1),
        ("later", "condition_met", 1),
        ("s", "stopped", 1),
    ]


def test_a_run_that_fails_says_at_which_step() -> None:
    """And what it lacked."""
    found = _dry(document(send("a"), wait("w", **{"from": {"path": "event.data.at"}}), send("b")))
    assert [(one.step, one.outcome, one.reason) for one in found] == [
        ("a", "sent", ""),
        ("w", "failed", Reason.DELAY_UNREADABLE),
    ]
    assert found[1].detail == "event.data.at has no time such as 2026-05-01T09:00:00Z."
