"""Which recipients were erased lately: what was accepted for them before is neither planned, sent nor stored.

Each erasure is a key of the configuration, named by a keyed digest: for a week, which is longer than anything waits in
a stream, and for as long as an event of the tenant from before it is unfinished, which may be a year.
"""

from dataclasses import dataclass

import msgspec

from clarion.common.v1 import event_pb2
from services.domain.pseudonyms import Pseudonyms, unkeyed
from services.domain.reasons import Reason

PREFIX = "erased"
# Begins what replaces the id of an erased person.
PSEUDONYM = "erased:"


def key(tenant_id: str, digest: str) -> str:
    """Return the configuration key of an erasure; its value is JSON {id, at_us}."""
    return f"{PREFIX}.{tenant_id}.{digest}"


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure of one recipient. at_us: Unix microseconds; what was accepted until then is erased."""

    id: str
    at_us: int

    @property
    def pseudonym(self) -> str:
        """The text that replaces the user's id."""
        return f"{PSEUDONYM}{self.id}"


_decode = msgspec.json.Decoder(Erasure).decode


class Erasures:
    """The current erasures, kept up to date by the configuration's watch."""

    def __init__(self, keyed: Pseudonyms) -> None:
        self._keyed = keyed
        self._by_digest: dict[str, Erasure] = {}

    def on_change(self, changed: str, value: bytes | None) -> None:
        """Apply a change of the configuration; ignores other keys and unreadable values."""
        prefix, _, rest = changed.partition(".")
        if prefix != PREFIX:
            return
        digest = rest.rpartition(".")[2]
        try:
            found = _decode(value) if value is not None else None
        except msgspec.MsgspecError:
            return
        if found is None:
            self._by_digest.pop(digest, None)
        else:
            self._by_digest[digest] = found

    def find(self, tenant_id: str, user_id: str, accepted_us: int) -> Erasure | None:
        """Return the erasure that covers an event accepted at this time for this recipient; None: there is none.

        Nobody without a user id can be erased by it.
        """
        if not self._by_digest or not user_id:  # nearly always: saves making a digest
            return None
        found = self._by_digest.get(self._keyed.erasure(unkeyed(tenant_id, user_id)))
        return found if found is not None and accepted_us <= found.at_us else None

    def refusal_of(self, tenant_id: str, user_id: str, accepted_us: int) -> str:
        """Return the reason for sending a recipient nothing of an event; empty: it may be sent."""
        return Reason.RECIPIENT_ERASED if self.find(tenant_id, user_id, accepted_us) is not None else ""

    def refusal(self, delivery: event_pb2.Delivery) -> str:
        """Return the reason for not sending this delivery; empty: it may be sent."""
        user_id = delivery.recipient.user_id or delivery.webhook.user_id
        return self.refusal_of(delivery.tenant_id, user_id, delivery.accepted_at_us)
