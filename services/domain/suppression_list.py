"""Looks up suppressed addresses in memory: keyed digests, published as configuration.

The router owns the suppressions and publishes them. Each process that routes or sends watches the keys
(topology.suppressions_key). A value is a sequence of records of 9 bytes: 8 of the address' digest, one of flags.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeAlias

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from services.domain import addresses, channels, topology
from services.domain.pseudonyms import Pseudonyms
from services.domain.reasons import Reason

SuppressionReason: TypeAlias = suppressions_pb2.SuppressionReason.ValueType

NONE = suppressions_pb2.SUPPRESSION_REASON_UNSPECIFIED
BOUNCED = suppressions_pb2.SUPPRESSION_REASON_BOUNCED
COMPLAINED = suppressions_pb2.SUPPRESSION_REASON_COMPLAINED
UNSUBSCRIBED = suppressions_pb2.SUPPRESSION_REASON_UNSUBSCRIBED
MANUAL = suppressions_pb2.SUPPRESSION_REASON_MANUAL

# The reason of the skip; of several the first.
_SKIPS = (
    (COMPLAINED, Reason.SUPPRESSED_COMPLAINED),
    (BOUNCED, Reason.SUPPRESSED_BOUNCED),
    (MANUAL, Reason.SUPPRESSED_MANUAL),
)


_DIGEST_BYTES = 8
_RECORD_BYTES = _DIGEST_BYTES + 1

Get = Callable[[str], bytes | None]


def flag(reason: SuppressionReason) -> int:
    """Return a reason's bit."""
    return 1 << (reason - 1)


def normalised(channel: event_pb2.Channel.ValueType, address: str) -> str:
    """Return the normal form of an address; empty: it is not an address.

    E-mail: the form in which it is sent to (services.domain.addresses), in lower case, because no large provider
    distinguishes mailboxes by case. SMS: E.164.
    """
    try:
        match channels.BY_NUMBER[channel].address_field:
            case "phone":
                return addresses.parse_phone(address)
            case "email":
                form = addresses.parse_email(address).lower()
                return form if form.isascii() else unicodedata.normalize("NFC", form)
    except addresses.InvalidAddress:
        pass
    return ""


def stored_forms(channel: event_pb2.Channel.ValueType, address: str) -> list[str]:
    """Return the forms under which a suppression of this address may be stored, its normal form first.

    An earlier version may have stored a number that is written with a trunk prefix ("+44 07911 123456") with it.
    """
    form = normalised(channel, address)
    is_phone = channels.BY_NUMBER[channel].address_field == "phone"
    written = addresses.phone_as_written(address) if is_phone else ""
    return [one for one in dict.fromkeys((form, written)) if one]


def digest(keyed: Pseudonyms, tenant_id: str, channel: event_pb2.Channel.ValueType, address: str) -> bytes:
    """Return the 32 bytes that stand for a normalised address; they differ from tenant to tenant.

    Keyed, because all phone numbers can be tried against a plain SHA-256.
    """
    # The inner digest is what versions without the key stored; their rows were migrated without the addresses.
    return keyed.suppression(hashlib.sha256(f"{tenant_id}/{channel}/{address}".encode()).digest())


def shard(full: bytes) -> int:
    """Return the number of the configuration key, of the tenant's 256, that holds this digest."""
    return full[0]


def pack(entries: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the value of a shard's key. entries: (digest, flags)."""
    return b"".join(full[1:_RECORD_BYTES] + bytes([flags]) for full, flags in entries)


def find(packed: bytes | None, full: bytes) -> int:
    """Return a digest's flags in its shard's value; 0: it is not there."""
    if packed is None:
        return 0
    wanted = full[1:_RECORD_BYTES]
    at = packed.find(wanted)
    while at > 0 and at % _RECORD_BYTES:  # found across two records
        at = packed.find(wanted, at + 1)
    return packed[at + _DIGEST_BYTES] if at >= 0 else 0


class SuppressionList:
    """Finds the reason why an address is not sent to. get: of a watch with topology.SUPPRESSIONS among its prefixes."""

    def __init__(self, get: Get, keyed: Pseudonyms) -> None:
        self._get = get
        self._keyed = keyed

    def reason(
        self,
        tenant_id: str,
        channel: event_pb2.Channel.ValueType,
        recipient: event_pb2.Recipient,
        *,
        subscribed: bool,
    ) -> str:
        """Return the reason to skip; empty: it may be sent. subscribed: people may unsubscribe from this mail.

        Reads memory only: a suppression of the last few milliseconds may not be known yet.
        """
        flags = 0
        for form in stored_forms(channel, channels.address_of(recipient, channel)):
            full = digest(self._keyed, tenant_id, channel, form)
            flags |= find(self._get(topology.suppressions_key(tenant_id, shard(full))), full)
        if not flags:
            return ""
        for reason, word in _SKIPS:
            if flags & flag(reason):
                return word
        return Reason.SUPPRESSED_UNSUBSCRIBED if subscribed and flags & flag(UNSUBSCRIBED) else ""

    def of_delivery(self, delivery: event_pb2.Delivery) -> str:
        """Return the reason to skip a delivery that was routed earlier; empty: it may be sent."""
        return self.reason(delivery.tenant_id, delivery.channel, delivery.recipient, subscribed=delivery.subscribed)
