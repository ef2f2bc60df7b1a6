"""What the judge of system calls makes of a trace."""

import struct

import pytest

from checks.fsync import judge, verdict
from checks.waiting import CheckError

_BLOCK = "10</data/nats/store/jetstream/$G/streams/EVENTS/msgs/1.blk>"


def _record(sequence: int, size: int = 40) -> str:
    """Return a record of the broker's file as strace prints it."""
    data = struct.pack("<IQ", size | 1 << 31, sequence).ljust(size, b"x")
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in data)


def _write(*sequences: int, at: float = 1.0) -> str:
    return f'7 {at:.6f} pwrite64({_BLOCK}, "{"".join(map(_record, sequences))}", 40, 0) = 40'


def _ack(sequence: int, at: float = 3.0, more: str = "") -> str:
    text = f'MSG _INBOX.a 1 27\\r\\n{{\\"stream\\":\\"EVENTS\\",\\"seq\\":{sequence}{more}}}\\r\\n'
    return f'7 {at:.6f} writev(15<TCP:[1->2]>, [{{iov_base="{text}", iov_len=96}}], 1) = 96'


_SYNC = f"7 2.000000 fsync({_BLOCK}) = 0"


def test_written_synced_acknowledged() -> None:
    """The order that must be, with its times."""
    evidence = judge([_write(1), _SYNC, _ack(1)])
    assert evidence.faults == []
    assert (evidence.acks, evidence.syncs, evidence.on_disk) == (1, 1, {("EVENTS", 1)})
    assert evidence.first("EVENTS") == {"write": 1.0, "fsync": 2.0, "ack": 3.0}


@pytest.mark.parametrize(
    "lines",
    [
        [_write(1), _ack(1)],
        [_write(1), _ack(1), _SYNC],
        [_SYNC, _write(1), _ack(1)],
        [_ack(1)],
        [_write(1), _SYNC.replace("= 0", "= -1 EIO (Input/output error)"), _ack(1)],
        [_write(1), _SYNC.replace(") = 0", " <unfinished ...>"), _ack(1), "7 2.500000 <... fsync resumed>) = 0"],
        [
            _SYNC.replace(") = 0", " <unfinished ...>"),
            _write(1).replace("7", "8", 1),
            "7 2.5 <... fsync resumed>) = 0",
            _ack(1),
        ],
        [_write(1), _write(2), _SYNC.replace("1.blk", "2.blk"), _ack(2)],
    ],
    ids=["no sync", "late", "before the write", "no write", "failed", "unfinished", "began too early", "another file"],
)
def test_acknowledged_too_early(lines: list[str]) -> None:
    """Whatever stands in place of a finished fsync after the write is a fault."""
    assert judge(lines).faults


def test_a_batch_is_acknowledged_by_its_last() -> None:
    """All of it must be there: one write of three records, one fsync."""
    assert judge([_write(1, 2, 3), _SYNC, _ack(3)]).faults == []
    assert judge([_write(3), _SYNC, _write(1, 2), _ack(3)]).faults


def test_what_follows_may_wait() -> None:
    """A later message that is not on disk is no fault of an earlier acknowledgement; nor is a known id's."""
    assert judge([_write(1), _SYNC, _write(2), _ack(1)]).faults == []
    assert judge([_ack(1, more=',\\"duplicate\\":true')]).acks == 0


def test_an_empty_trace_proves_nothing() -> None:
    """The verdict wants to have seen the events."""
    with pytest.raises(CheckError, match="only 0 events"):
        verdict(judge([]))
