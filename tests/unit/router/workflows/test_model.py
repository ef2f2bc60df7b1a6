"""Random workflows, clocks, outcomes and crashes: the engine does what a simple model of it does."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.workflows.document import Document, read
from services.router.workflows.engine import Decision, advance, needs
from services.router.workflows.facts import Facts
from services.router.workflows.state import State, decode, encode
from tests.unit.router.workflows.model import DAY, SECOND, Model, ModelFacts, any_steps

# Cases: examples, and in each so many runs of its workflow.
_EXAMPLES, _RUNS = 1_000, 10
# 2026-05-01T00:00:00Z
_NOW_US = 1_777_593_600 * SECOND


class _World:
    """What the run sees, and what goes wrong around it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        now_us = _NOW_US + chance.randrange(7 * DAY)
        starts_at = chance.choice([None, "soon", now_us // SECOND + chance.randrange(3600, 90_000), 5_000_000_000])
        self.facts = ModelFacts(
            now_us,
            chance.choice(["pro", "free"]),
            chance.choice([[], ["vip"], ["new", "vip"]]),
            chance.choice([10, 50, 80]),
            starts_at,
            skipped=frozenset(f"s{number}" for number in range(9) if chance.random() < 0.2),
        )

    def seen(self, wanted: frozenset[str]) -> Facts:
        """Return the facts as the engine gets them: only the statuses that it asked for."""
        facts = self.facts
        return Facts(
            {"data": {"plan": facts.plan}, "tags": facts.tags, "timezone": ""},
            {"name": "order.paid", "data": {"total": facts.total, "starts_at": facts.starts_at}, "source": {}},
            {},
            {id_: status for id_, status in facts.statuses.items() if id_ in wanted},
            lambda step: "skipped" if step.id in facts.skipped else "queued",
        )

    def goes_on(self, wake_at_us: int, sent: list[str]) -> None:
        """Let time pass, perhaps long after the run was to be looked at, and let deliveries come to their end."""
        late = self._chance.choice([0, 0, 1, 999, SECOND, 3600 * SECOND, 3 * DAY])
        self.facts.now_us = max(self.facts.now_us, wake_at_us) + late
        for id_ in sent:
            if self._chance.random() < 0.5:
                self.facts.statuses.setdefault(id_, self._chance.choice(["sent", "failed", "delivered"]))


@settings(max_examples=_EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32))
def test_the_engine_does_what_the_model_does(making: random.Random, seed: int) -> None:
    """Ten runs of a workflow, each with its own clock, outcomes and crashes."""
    steps = any_steps(making)
    chance = random.Random(seed)
    raw = msgspec.json.encode({"steps": steps})
    document, faults = read(raw)
    if document is None:  # it has more than 50 steps
        assert [fault.description for fault in faults] == ["must be at most 50, those within steps included"]
        return
    for _ in range(_RUNS):
        _run(document, Model(steps), _World(chance), chance)


def _run(document: Document, model: Model, world: _World, chance: random.Random) -> None:
    state, sent, did = State(), list[str](), list[tuple[str, str]]()
    for _ in range(1000):
        facts = world.seen(needs(document, state))
        decision = advance(document, state, facts, world.facts.now_us)
        if chance.random() < 0.2:
            # It crashed before this was stored: another process decides the same, or later what is due then.
            again = advance(document, decode(encode(state)), facts, world.facts.now_us)
            assert again == decision
            if chance.random() < 0.5:
                world.goes_on(0, sent)
                continue
        model.look(world.facts)
        sent += [step.id for step in decision.outputs]
        did += [(record.step, record.outcome) for record in decision.records]
        assert sent == model.sent
        assert did == model.did
        assert (decision.ended, decision.reason) == (model.wake_at_us is None, model.reason)
        state = decode(encode(decision.state))
        if decision.ended:
            break
        assert decision.wake_at_us == model.wake_at_us
        _stays(document, decision, world)
        world.goes_on(decision.wake_at_us, sent)
    assert decision.ended
    assert len(set(sent)) == len(sent)
    assert advance(document, state, facts, world.facts.now_us + DAY).outputs == ()


def _stays(document: Document, decision: Decision, world: _World) -> None:
    """A run that waits does nothing until its time has come."""
    early = advance(document, decision.state, world.seen(frozenset()), decision.wake_at_us - 1)
    assert (list(early.outputs), list(early.records), early.state) == ([], [], decision.state)
