"""How a run goes on: which steps it carries out, in which order, and when it looks again."""

from typing import Any

import pytest

from services.domain.reasons import Reason
from services.router.workflows.document import Document
from services.router.workflows.engine import Decision, advance, needs
from services.router.workflows.facts import SKIPPED, Facts
from services.router.workflows.state import State, decode, encode
from tests.unit.router.workflows.building import condition, delay, document, parallel, send, stop, var, wait

NOW_US = 1_700_000_000_000_000
SECOND = 1_000_000
HOUR_US = 3600 * SECOND


def _ids(decision: Decision) -> list[str]:
    return [step.id for step in decision.outputs]


def _words(decision: Decision) -> list[tuple[str, str]]:
    return [(record.step, record.outcome) for record in decision.records]


def _first(of: Document, **facts: Any) -> Decision:
    return advance(of, State(), Facts(**facts), NOW_US)


def test_steps_without_a_wait_are_carried_out_at_once() -> None:
    """In the order of the document, and the run is at its end."""
    found = _first(document(send("a"), parallel("p", [send("b")], [send("c"), send("d")]), send("e")))
    assert _ids(found) == ["a", "b", "c", "d", "e"]
    assert (found.ended, found.reason, found.wake_at_us) == (True, "", 0)
    assert _words(found) == [("", "started"), ("", "ended")]


def test_a_run_that_has_ended_does_nothing() -> None:
    """However often it is looked at."""
    one = document(send("a"))
    ended = _first(one)
    again = advance(one, ended.state, Facts(), NOW_US + SECOND)
    assert (again.outputs, again.records, again.ended) == ((), (), True)


def test_a_delay_counts_from_when_the_run_comes_to_it() -> None:
    """Not from when it was to come to it: two messages are never closer than the delay between them."""
    one = document(delay("a", 60), send("b"), delay("c", 60), send("d"))
    waiting = _first(one)
    assert (waiting.wake_at_us, waiting.ended) == (NOW_US + 60 * SECOND, False)
    late = advance(one, waiting.state, Facts(), NOW_US + 90 * SECOND)
    assert _ids(late) == ["b"]
    assert late.wake_at_us == NOW_US + 150 * SECOND
    assert _words(late) == [("a", "went_on"), ("c", "waiting")]
    assert late.records[-1].until_us == late.wake_at_us


def test_a_look_before_its_time_changes_nothing() -> None:
    """The state stays the same, and so does the time of the next look."""
    one = document(delay("a", 60), send("b"))
    waiting = _first(one)
    early = advance(one, waiting.state, Facts(), NOW_US + 59 * SECOND)
    assert (early.outputs, early.records) == ([], [])
    assert (early.state, early.wake_at_us) == (waiting.state, waiting.wake_at_us)


def test_what_follows_a_parallel_step_waits_for_all_branches() -> None:
    """And is carried out once."""
    one = document(parallel("p", [delay("a", 60)], [delay("b", 120), send("c")], [send("d")]), send("e"))
    first = _first(one)
    assert _ids(first) == ["d"]
    second = advance(one, first.state, Facts(), first.wake_at_us)
    assert (_ids(second), second.state.at_steps) == ([], ("b",))
    third = advance(one, decode(encode(second.state)), Facts(), second.wake_at_us)
    assert (_ids(third), third.ended) == (["c", "e"], True)


def test_parallel_steps_within_each_other_join_from_the_inside() -> None:
    """The end of the inner one is the end of a branch of the outer one."""
    inner = parallel("q", [send("a")], [delay("b", 60)])
    one = document(parallel("p", [inner], [delay("c", 30)]), send("d"))
    first = _first(one)
    second = advance(one, first.state, Facts(), NOW_US + 30 * SECOND)
    assert (_ids(second), second.state.at_steps) == ([], ("b",))
    third = advance(one, second.state, Facts(), NOW_US + 60 * SECOND)
    assert (_ids(third), third.ended) == (["d"], True)


@pytest.mark.parametrize(
    ("rule", "sent", "word"),
    [
        ({"==": [var("contact.data.plan"), "pro"]}, "then", "condition_met"),
        ({"in": ["vip", var("contact.tags")]}, "then", "condition_met"),
        ({"==": [var("event.name"), "order.paid"]}, "then", "condition_met"),
        ({"==": [var("event.source.type"), "web_signup"]}, "then", "condition_met"),
        ({">": [var("event.data.total"), 100]}, "else", "condition_not_met"),
        ({"==": [var("variables.missing"), 1]}, "else", "condition_not_met"),
        ({"==": [var("steps.a.status"), "queued"]}, "then", "condition_met"),
    ],
)
def test_conditions_see_the_contact_the_event_and_earlier_steps(rule: Any, sent: str, word: str) -> None:
    """Each of the two ways goes on with what follows."""
    one = document(send("a"), condition("c", rule, [send("then")], [send("else")]), send("z"))
    found = _first(
        one,
        contact={"data": {"plan": "pro"}, "tags": ["vip", "new"]},
        event={"name": "order.paid", "data": {"total": 80}, "source": {"type": "web_signup"}},
    )
    assert _ids(found) == ["a", sent, "z"]
    assert ("c", word) in _words(found)


def test_a_way_without_steps_goes_on_with_what_follows() -> None:
    """Also as the last step of a branch."""
    never = {"==": [1, 2]}
    one = document(parallel("p", [condition("c", never, [stop("s")])], [send("a")]), send("b"))
    assert _ids(_first(one)) == ["a", "b"]


def test_a_step_whose_own_rule_does_not_want_it_is_passed_over() -> None:
    """With all that is within it, and the run goes on with what follows."""
    never = {"==": [1, 2]}
    one = document(
        send("a", only_if=never),
        delay("b", only_if=never),
        parallel("p", [send("c")], [delay("d")], only_if=never),
        stop("s", only_if=never),
        send("e", only_if={"==": [1, 1]}),
    )
    found = _first(one)
    assert _ids(found) == ["e"]
    assert _words(found) == [("", "started"), *((id_, "passed_over") for id_ in "abps"), ("", "ended")]


def test_a_rule_that_cannot_be_evaluated_is_not_met_and_says_why() -> None:
    """In doubt nothing is sent."""
    wrong = {"+": [var("contact.data"), 1]}
    found = _first(
        document(send("a", only_if=wrong), condition("c", wrong, [send("b")], [send("d")])), contact={"data": {}}
    )
    assert _ids(found) == ["d"]
    passed, not_met = found.records[1:3]
    assert (passed.outcome, passed.reason) == ("passed_over", Reason.RULE_FAILED)
    assert (not_met.outcome, not_met.reason) == ("condition_not_met", Reason.RULE_FAILED)
    assert passed.detail == not_met.detail == "The operator + was given something that is no number."


def test_stop_ends_all_branches() -> None:
    """Nothing is carried out after it, and nothing waits any more."""
    one = document(parallel("p", [delay("a", 30), stop("s")], [delay("b", 60), send("c")]), send("d"))
    first = _first(one)
    found = advance(one, first.state, Facts(), NOW_US + 60 * SECOND)
    assert (_ids(found), found.ended, found.reason) == ([], True, "")
    assert found.state.at == ()
    assert _words(found) == [("a", "went_on"), ("s", "stopped"), ("", "ended")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [({}, Reason.DELAY_UNREADABLE), ({"at": "soon"}, Reason.DELAY_UNREADABLE), ({"at": 4e9}, Reason.DELAY_TOO_LONG)],
)
def test_a_run_that_cannot_know_how_long_to_wait_fails(data: Any, reason: str) -> None:
    """What follows would be sent at a wrong time."""
    found = _first(document(wait("a", **{"from": {"path": "event.data.at"}}), send("b")), event={"data": data})
    assert (_ids(found), found.ended, found.reason) == ([], True, reason)
    assert [(one.step, one.outcome, one.reason) for one in found.records[1:]] == [
        ("a", "failed", reason),
        ("", "failed", reason),
    ]
    assert "event.data.at" in found.records[1].detail


def test_a_time_that_has_passed_is_not_waited_for() -> None:
    """The run goes on at once."""
    one = document(wait("a", **{"from": {"path": "variables.at"}}), send("b"))
    found = _first(one, variables={"at": "2020-01-01T00:00:00Z"})
    assert (_ids(found), _words(found)[1]) == (["b"], ("a", "went_on"))


@pytest.mark.parametrize(("late_h", "outputs", "wakes_in_h"), [(0, ["b"], 0), (11, ["b"], 0), (13, [], 11)])
def test_hours_that_are_over_when_the_run_goes_on_are_waited_for_again(
    late_h: int, outputs: list[str], wakes_in_h: int
) -> None:
    """Nothing is sent at night because an event was paused, or all was late."""
    one = document(wait("a", within={"from": "08:00", "to": "20:00", "timezone": "UTC"}), send("b"))
    evening = 1_700_006_400 * SECOND + 21 * HOUR_US
    first = advance(one, State(), Facts(), evening)
    assert first.wake_at_us == evening + 11 * HOUR_US
    now_us = first.wake_at_us + late_h * HOUR_US
    second = advance(one, decode(encode(first.state)), Facts(), now_us)
    assert (_ids(second), second.wake_at_us) == (outputs, now_us + wakes_in_h * HOUR_US if wakes_in_h else 0)


def test_rules_see_what_was_decided_until_there_is_a_status() -> None:
    """A step that is skipped when the run comes to it is known to be skipped at once, so another channel can follow."""
    fallback = condition("c", {"==": [var("steps.a.status"), "skipped"]}, [send("b", "SMS")])
    one = document(
        send("a"), fallback, delay("d"), condition("e", {"==": [var("steps.a.status"), "sent"]}, [send("f")])
    )
    asked: list[str] = []

    def plan(step: Any) -> str:
        asked.append(step.id)
        return SKIPPED if step.id == "a" else "queued"

    first = _first(one, plan=plan)
    assert (_ids(first), asked) == (["a", "b"], ["a", "b"])
    assert first.state.statuses == {"a": "skipped", "b": "queued"}
    replayed = advance(one, first.state, Facts(statuses={"a": "sent"}), first.wake_at_us)
    assert _ids(replayed) == ["f"]


_NAMES_A = {"==": [var("steps.a.status"), "sent"]}


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([send("a"), delay("d"), send("b")], set()),
        ([send("a"), delay("d"), condition("c", _NAMES_A, [])], {"a"}),
        ([send("a"), delay("d"), send("b", only_if=_NAMES_A)], {"a"}),
        ([send("a"), delay("d"), condition("c", {"==": [1, 1]}, [send("b", only_if=_NAMES_A)])], {"a"}),
        # Passed already.
        ([condition("c", _NAMES_A, []), send("a"), delay("d"), send("b")], set()),
        # It may look at any.
        ([send("a"), send("b"), delay("d"), condition("c", {"!!": [var("steps")]}, [])], {"a", "b"}),
        ([send("a"), delay("d"), condition("c", {"==": [var("steps.z.status"), "sent"]}, [])], set()),
        # Where is known only when it is evaluated.
        (
            [send("a"), delay("d"), condition("c", {"==": [{"var": {"cat": ["st", "eps.a.status"]}}, "sent"]}, [])],
            {"a"},
        ),
        ([send("a"), delay("d"), condition("c", {"missing": [{"cat": ["st", "eps.a"]}]}, [])], {"a"}),
        # What a list of facts holds.
        (
            [send("a"), delay("d"), condition("c", {"reduce": [[var("")], var("current.steps.a.status"), 0]}, [])],
            {"a"},
        ),
        # In another branch, and after the branches.
        ([send("a"), parallel("p", [delay("d")], [delay("e")]), send("b", only_if=_NAMES_A)], {"a"}),
    ],
)
def test_only_the_statuses_that_a_rule_ahead_may_look_at_are_wanted(steps: list[Any], wanted: set[str]) -> None:
    """They cost a call of the ledger at each look."""
    one = document(*steps)
    assert needs(one, State()) == frozenset()
    assert needs(one, _first(one).state) == wanted


def test_a_webhook_step_is_carried_out_as_one_that_sends() -> None:
    """Its status can be asked for, too."""
    endpoint = "0190c000-0000-7000-8000-000000000001"
    one = document({"id": "w", "kind": "webhook", "endpoint_id": endpoint}, delay("d"), send("b"))
    found = _first(one)
    assert [(step.id, step.kind) for step in found.outputs] == [("w", "webhook")]
    assert found.state.statuses == {"w": "queued"}


def test_the_stored_state_is_small() -> None:
    """A run that waits costs its row, not its history."""
    waiting = _first(document(*[send(f"s{number}") for number in range(10)], delay("d"), send("z")))
    assert len(encode(waiting.state)) < 300
    assert decode(encode(waiting.state)) == waiting.state
