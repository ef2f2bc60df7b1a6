"""The siege's own arithmetic: limits read from the compose file, the neighbour's verdict, every id counted."""

from array import array
from pathlib import Path

import pytest

from checks.broker import Broker
from checks.siege.ids import Batch, Total, count
from checks.siege.limits import Group, compose_limits, read_bytes
from checks.siege.neighbour import Seen, Sent
from checks.siege.records import Records
from checks.siege.verdict import Excuses, judge

_MARKS = [("before", 0.0, 10.0), ("during", 10.0, 20.0), ("after", 20.0, 30.0)]
_OK = 200


def _sent(*, slow_s: float = 0.0, refused: int = 0) -> Seen:
    """An event each second from 0 to 30; the one of second 15 is slow or refused."""
    sent = []
    for second in range(30):
        at_15 = second == 15
        status = refused if at_15 and refused else _OK
        took = slow_s if at_15 and slow_s else 0.01
        sent.append(Sent(str(second), float(second), second + took, status, f"event-{second}"))
    return Seen(sent=sent, page={}, page_connections=1)


def _records(seen: Seen, *, without: str = "", twice: str = "") -> Records:
    found = Records()
    for one in seen.sent:
        if one.status == _OK and one.id != without:
            found.add("SMS", one.id, one.answered + 0.02)
        if one.id == twice:
            found.add("SMS", one.id, one.answered + 1)
    return found


def test_limits_are_those_of_the_compose_file() -> None:
    """Every process that the local stack shares with it has one; the hub is called centrifugo there."""
    limits = compose_limits()
    for name in ("postgres", "nats", "hub", "ingest", "router", "render", "senders", "realtime", "gateway"):
        assert limits[name] >= 128 * 1024**2


@pytest.mark.parametrize(("text", "size"), [("512m", 512 * 1024**2), ("1g", 1024**3), ("7", 7), ("2KB", 2048)])
def test_sizes(text: str, size: int) -> None:
    """As compose writes them."""
    assert read_bytes(text) == size


def test_what_is_no_size_is_refused() -> None:
    """A limit that was misread would be none."""
    with pytest.raises(ValueError, match="is no size"):
        read_bytes("half")


def test_an_undisturbed_neighbour_is_no_fault() -> None:
    """Each event accepted, recorded once, and no slower than before."""
    seen = _sent()
    verdict = judge(seen, _records(seen), ["SMS"], _MARKS, Excuses())
    assert verdict.faults == []
    assert verdict.recovery_s == 0
    assert [phase.sent for phase in verdict.phases] == [10, 10, 10]


def test_a_refusal_is_a_fault() -> None:
    """One 503 is one too many."""
    seen = _sent(refused=503)
    (fault,) = judge(seen, _records(seen), ["SMS"], _MARKS, Excuses()).faults
    assert fault == "during: the neighbour met 1 times 503"


def test_a_refusal_that_the_attack_itself_caused_is_excused() -> None:
    """As where it killed the broker."""
    seen = _sent(refused=503)
    verdict = judge(seen, _records(seen), ["SMS"], _MARKS, Excuses(errors=[(14.0, 16.0)]))
    assert verdict.faults == []
    assert verdict.phases[1].excused == 1


def test_a_slow_neighbour_is_a_fault() -> None:
    """Its 95th percentile, from when each event was due."""
    seen = _sent(slow_s=2.0)
    faults = judge(seen, _records(seen), ["SMS"], _MARKS, Excuses()).faults
    assert any("p95 (accept) went from 10 to 2000 ms" in fault for fault in faults)


def test_slowness_is_excused_only_while_the_attack_itself_causes_it() -> None:
    """Errors excuse both latencies; waiting deliveries excuse the one that ends with them."""
    seen = _sent(slow_s=2.0)

    def faults(excuses: Excuses) -> list[str]:
        return judge(seen, _records(seen), ["SMS"], _MARKS, excuses).faults

    assert faults(Excuses(errors=[(14.0, 16.0)])) == []
    assert len(faults(Excuses(errors=[(10.0, 12.0)]))) == 2
    (fault,) = faults(Excuses(slow=[(14.0, 16.0)]))
    assert "(accept)" in fault


def test_missing_and_repeated_deliveries_are_faults() -> None:
    """An accepted event is recorded once."""
    seen = _sent()
    faults = judge(seen, _records(seen, without="3", twice="4"), ["SMS"], _MARKS, Excuses()).faults
    assert any("1 deliveries of the neighbour's accepted events are missing" in fault for fault in faults)
    assert any("1 of the neighbour's deliveries were made twice" in fault for fault in faults)


def test_repeats_after_a_kill_of_the_broker_are_excused() -> None:
    """As many as the senders have under way."""
    seen = _sent()
    verdict = judge(seen, _records(seen, twice="4"), ["SMS"], _MARKS, Excuses(repeats=1))
    assert verdict.faults == []
    assert verdict.repeated == 1


def test_recovery_ends_with_the_last_bad_event() -> None:
    """Counted from the attack's end."""
    seen = _sent()
    seen.sent[24] = Sent("24", 24.0, 24.1, 503, "")
    verdict = judge(seen, _records(seen), ["SMS"], _MARKS, Excuses())
    assert verdict.recovery_s == 4


def test_a_batch_notes_the_first_record_and_counts_all() -> None:
    """A later record is a repeat, whichever is read first."""
    batch = Batch("r" * 16, array("d", [1.0, 2.0]), bytearray([1, 1]))
    batch.note(0, 5.0)
    batch.note(0, 4.0)
    assert list(batch.first) == [4.0, 0.0]
    assert list(batch.times) == [2, 0]
    assert batch.end_to_end_ms() == (3000.0, 3000.0)


def test_every_id_is_counted() -> None:
    """One recorded, one missing, one twice, and one recorded though its answer never came."""
    batch = Batch("r" * 16, array("d", [1.0] * 4), bytearray([1, 1, 1, 0]))
    for number in (0, 2, 2, 3):
        batch.note(number, 2.0)
    total = count([batch], finished=3)
    assert total == Total(accepted=3, missing=1, repeated=1, unasked=1, finished=3)
    assert not total.clean
    batch.note(1, 2.0)
    batch.times[2] = 1
    assert count([batch], finished=3).clean
    assert not count([batch], finished=2).clean


def test_the_brokers_page_is_read() -> None:
    """Bytes, messages and memory of ids by stream; a page without streams is an empty store."""
    stream = {"name": "EVENTS", "state": {"bytes": 7, "messages": 2}, "config": {"duplicate_window": 600_000_000_000}}
    page = {"storage": 9, "config": {"max_storage": 99}, "account_details": [{"stream_detail": [stream]}]}
    broker = Broker.of(page)
    assert (broker.store, broker.store_limit) == (9, 99)
    assert (broker.streams["EVENTS"], broker.messages["EVENTS"], broker.windows["EVENTS"]) == (7, 2, 600)
    assert Broker.of({}).store == 0


def test_both_versions_of_cgroups_are_read(tmp_path: Path) -> None:
    """Memory without page cache, the most with it, and kills; what the kernel does not tell is 0."""
    (tmp_path / "memory.stat").write_text("cache 9\ntotal_rss 5\nanon 7\n")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 2\n")
    (tmp_path / "memory.events").write_text("oom 4\noom_kill 3\n")
    (tmp_path / "memory.max_usage_in_bytes").write_text("11\n")
    first, second = Group(tmp_path, 1), Group(tmp_path, 2)
    assert (first.memory(), first.most(), first.oom_kills()) == (5, 11, 2)
    assert (second.memory(), second.most(), second.oom_kills()) == (7, 0, 3)
