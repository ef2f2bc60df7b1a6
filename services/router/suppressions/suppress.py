"""Checks requested suppressions: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.domain import channels, masking, suppression_list
from services.domain.pseudonyms import Pseudonyms

MAX_ITEMS = 1000
MAX_SOURCE = 50
MAX_DETAIL = 500
_WRONG_CHANNEL = f"must be one of {', '.join(channels.PUBLIC_NAMES[one] for one in channels.WITH_ADDRESS)}"


Key = tuple[str, int, bytes, int]


@dataclass(frozen=True, slots=True)
class CheckedSuppression:
    """A valid suppression to store. found_us: Unix microseconds."""

    id: str
    tenant_id: str
    channel: event_pb2.Channel.ValueType
    digest: bytes
    reason: suppressions_pb2.SuppressionReason.ValueType
    source: str
    detail: str
    masked: str
    found_us: int

    @property
    def key(self) -> Key:
        """The columns that identify a suppression."""
        return self.tenant_id, self.channel, self.digest, self.reason


def checked(
    wanted: Sequence[suppressions_pb2.NewSuppression], keyed: Pseudonyms, now: clock.Clock = clock.now_us
) -> list[CheckedSuppression]:
    """Return the suppressions with ids, in the same order. Raises INVALID naming each wrong field."""
    if not 1 <= len(wanted) <= MAX_ITEMS:
        raise _invalid([("suppressions", f"must be from 1 to {MAX_ITEMS:,}")])
    found = []
    faults: list[tuple[str, str]] = []
    for position, one in enumerate(wanted):
        address = suppression_list.normalised(one.channel, one.address)
        faults += [(f"suppressions[{position}].{field}", text) for field, text in _faults(one, address)]
        found.append(
            CheckedSuppression(
                id=new_id(),
                tenant_id=one.tenant_id,
                channel=one.channel,
                digest=suppression_list.digest(keyed, one.tenant_id, one.channel, address),
                reason=one.reason,
                source=one.source,
                detail=masking.redacted(one.detail[:MAX_DETAIL].replace("\0", ""), address)[:MAX_DETAIL],
                masked=masking.masked(address),
                found_us=one.found_at_us or now(),
            )
        )
    if faults:
        raise _invalid(faults)
    return found


def _faults(one: suppressions_pb2.NewSuppression, address: str) -> list[tuple[str, str]]:
    faults = []
    if not is_uuid(one.tenant_id):
        faults.append(("tenant_id", "must be a UUID in lower case"))
    if one.channel not in channels.WITH_ADDRESS:
        faults.append(("channel", _WRONG_CHANNEL))
    elif not address:
        faults.append(("address", "must be an e-mail address, or for SMS a number such as +254712345678"))
    if one.reason not in suppressions_pb2.SuppressionReason.values() or not one.reason:
        faults.append(("reason", "must be one of bounced, complained, unsubscribed, manual"))
    elif one.reason == suppression_list.UNSUBSCRIBED and one.channel == event_pb2.CHANNEL_SMS:
        faults.append(("reason", "must not be unsubscribed for SMS: only e-mail is marked as subscribed"))
    if len(one.source) > MAX_SOURCE:
        faults.append(("source", f"must be at most {MAX_SOURCE} characters"))
    return faults


def _invalid(faults: list[tuple[str, str]]) -> ClarionError:
    return ClarionError(Code.INVALID, "The suppression is invalid.", fields=faults)
