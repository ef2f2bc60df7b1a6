"""What the checks of runs make of what they saw."""

from checks.crowd import phase
from checks.due import Lateness
from checks.growth import Growth, StreamState
from checks.published import Published
from checks.siege.neighbour import Sent
from checks.siege.records import Records


def test_lateness() -> None:
    """From the due time; what was published early, or never, is counted."""
    found = Published("t")
    found.first = {"a": 99.5, "b": 100.25, "c": 102.0}
    lateness = Lateness.of(["a", "b", "c", "d"], found, 100.0)
    assert (lateness.seconds, lateness.missing, lateness.early) == ([-0.5, 0.25, 2.0], 1, 1)
    assert str(lateness).endswith("| 4 | 0.25 | 2.00 | 2.00 | 2.00 | 1 | 1 |")


def test_growth_counts_what_was_purged_meanwhile() -> None:
    """A stream is purged while it grows: what came counts, not what is there."""
    grown = Growth()
    grown.see_stream("EVENTS", StreamState(messages=10, bytes=1_000, last=10))
    grown.see_stream("EVENTS", StreamState(messages=5, bytes=500, last=20))
    grown.see_stream("EVENTS", StreamState(messages=0, bytes=0, last=20))
    assert (grown.stored["EVENTS"], grown.fullest["EVENTS"]) == ((10, 1_000.0), 1_000)
    assert "| EVENTS | 10 | 250 | 0.0 |" in grown.stream_table(4)


def test_memory_over_time() -> None:
    """The first, the highest and the last look at each process."""
    grown = Growth()
    for size in (10, 30, 20):
        grown.see_memory({"router": size * 1024**2})
    assert grown.memory_table(["router", "absent"]).splitlines()[2:] == ["| router | 10 | 30 | 20 |"]


def test_a_phase_of_the_other_tenant() -> None:
    """Only events that were due in it; those refused and those that never came are counted."""
    found = Records()
    found.add("SMS", "b", 12.5)
    sent = [
        Sent("a", 9.0, 9.1, 200, "e"),
        Sent("b", 12.0, 12.1, 200, "e"),
        Sent("c", 13.0, 13.1, 200, "e"),
        Sent("d", 14.0, 14.1, 503, ""),
    ]
    assert phase("x", sent, found, 10.0, 20.0) == "| x | 3 | 100 | 100 | 500 | 500 | 1 | 1 |"
