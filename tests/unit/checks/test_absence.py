"""What PostgreSQL's absence cost, from what was accepted and what was recorded."""

from checks.absence import Outcome, compare
from checks.catcher import Catcher
from checks.outage import Away
from checks.siege.neighbour import Sent
from checks.siege.records import Records

_AWAY = Away(gone=10.0, back=20.0)


def _accepted(*due: float) -> list[Sent]:
    return [Sent(f"e{at:.0f}", at, at + 0.1, 200, f"id-{at:.0f}") for at in due]


def _recorded(*at: tuple[str, float]) -> Records:
    found = Records()
    for order_id, moment in at:
        for channel in ("SMS", "PUSH"):
            found.add(channel, order_id, moment)
    return found


def _caught(*ids: str) -> Catcher:
    catcher = Catcher()
    catcher.mails.update(ids)
    return catcher


def test_the_last_delivery_of_what_waited_is_the_recovery() -> None:
    """Of events that were due while it was away; those before and after do not count."""
    outcome = Outcome(_AWAY, 3)
    found = _recorded(("e5", 21.0), ("e12", 22.5), ("e15", 24.0), ("e25", 40.0))
    compare(outcome, _accepted(5, 12, 15, 25), found, _caught("e5", "e12", "e15", "e25"))
    assert (outcome.waited, outcome.first_s, outcome.all_s) == (2, 2.5, 4.0)
    assert (outcome.missing, outcome.repeated) == (0, 0)


def test_what_no_channel_has_is_missing() -> None:
    """Each channel counts: SMS and push in PostgreSQL, e-mail at the mail server."""
    outcome = Outcome(_AWAY, 1)
    compare(outcome, _accepted(12), Records(), _caught())
    assert outcome.missing == 3


def test_what_came_twice_is_counted() -> None:
    """A second mail, and a second record of each channel."""
    outcome = Outcome(_AWAY, 1)
    compare(outcome, _accepted(12), _recorded(("e12", 21.0), ("e12", 22.0)), _caught("e12", "e12"))
    assert outcome.repeated == 3
