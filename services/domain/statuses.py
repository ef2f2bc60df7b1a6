"""Where a delivery can stand. The one list of statuses, for Python, SQL, the API's description and docs/statuses.md.

A new status is a line here and a value in trace.proto; then run `make gen`. Numbers are stored and never change. Ranks
may: the ledger replaces a status by one of a higher rank only, for records arrive in any order.
"""

from dataclasses import dataclass

from clarion.common.v1 import trace_pb2

# How a step of the timeline ended.
OK = "ok"
RETRYING = "retrying"
SKIPPED = "skipped"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """What all services need to know of a status."""

    # As stored and on the wire.
    number: trace_pb2.DeliveryStatus.ValueType
    # In the public APIs, metrics and log lines, and the step's name on the timeline.
    name: str
    # A status of a higher rank replaces one of a lower rank.
    rank: int
    # Nothing more is tried. A report of the recipient's side may still follow, and so may an operator's replay.
    is_terminal: bool
    # OK, RETRYING, SKIPPED or FAILED.
    outcome: str
    text: str
    # The provider or the recipient reported it after the message was sent.
    is_reported: bool = False
    # An operator can send again what ended so.
    is_replayable: bool = False


BY_NUMBER = {
    status.number: status
    for status in (
        Status(trace_pb2.DELIVERY_STATUS_QUEUED, "queued", 10, False, OK, "Waits for its first attempt."),
        Status(
            trace_pb2.DELIVERY_STATUS_RETRYING,
            "retrying",
            20,
            False,
            RETRYING,
            "An attempt failed; the next one is planned.",
        ),
        Status(
            trace_pb2.DELIVERY_STATUS_SKIPPED,
            "skipped",
            30,
            True,
            SKIPPED,
            "Clarion decided not to send it; the reason says why.",
            is_replayable=True,
        ),
        Status(trace_pb2.DELIVERY_STATUS_SENT, "sent", 40, True, OK, "The provider accepted it."),
        Status(
            trace_pb2.DELIVERY_STATUS_DELIVERED,
            "delivered",
            50,
            True,
            OK,
            "The provider reported that it reached the recipient's side.",
            is_reported=True,
        ),
        Status(
            trace_pb2.DELIVERY_STATUS_FAILED,
            "failed",
            60,
            True,
            FAILED,
            "It cannot be rendered, or the provider refused it for good. It is not tried again.",
            is_replayable=True,
        ),
        Status(
            trace_pb2.DELIVERY_STATUS_DEAD,
            "dead",
            70,
            True,
            FAILED,
            "The last attempt failed too. It is kept as a dead letter, which an operator can send again.",
            is_replayable=True,
        ),
        Status(
            trace_pb2.DELIVERY_STATUS_BOUNCED,
            "bounced",
            80,
            True,
            FAILED,
            "The provider accepted it and reported later that it did not arrive.",
            is_reported=True,
        ),
        Status(
            trace_pb2.DELIVERY_STATUS_COMPLAINED,
            "complained",
            90,
            True,
            FAILED,
            "The recipient reported the message as unwanted.",
            is_reported=True,
        ),
    )
}

BY_NAME = {status.name: number for number, status in BY_NUMBER.items()}
# Not final. 0 is no status at all.
OPEN = (0, *(number for number, status in BY_NUMBER.items() if not status.is_terminal))
REPLAYABLE = tuple(number for number, status in BY_NUMBER.items() if status.is_replayable)

_RANKS: dict[int, int] = {number: status.rank for number, status in BY_NUMBER.items()}


# The rank of a status that a later version wrote: above all others, so that this version does not overwrite it.
UNKNOWN_RANK = 1000


def rank(number: int) -> int:
    """Return a stored status's rank; 0 for none, UNKNOWN_RANK for one that this version does not know."""
    return _RANKS.get(number, UNKNOWN_RANK) if number else 0


def is_terminal(number: int) -> bool:
    """Return whether nothing more is tried; true for a status that this version does not know."""
    return number not in OPEN


def name(number: int) -> str:
    """Return a status's public name; empty for none, and for one that this version does not know."""
    status = BY_NUMBER.get(trace_pb2.DeliveryStatus.ValueType(number))
    return status.name if status is not None else ""
