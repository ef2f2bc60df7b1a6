"""Who gets nothing more: addresses as keyed digests, spread over configuration keys, looked up without asking anyone.

The router owns the suppressions and publishes them; each process that routes or sends follows the keys
(topology.suppressions_key). A value is a run of records, 9 bytes each: 8 of the address' digest, one of flags.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeAlias

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from services.domain import addresses, topology
from services.domain.pseudonyms import Pseudonyms

Reason: TypeAlias = suppressions_pb2.SuppressionReason.ValueType

NONE = suppressions_pb2.SUPPRESSION_REASON_UNSPECIFIED
BOUNCED = suppressions_pb2.SUPPRESSION_REASON_BOUNCED
COMPLAINED = suppressions_pb2.SUPPRESSION_REASON_COMPLAINED
UNSUBSCRIBED = suppressions_pb2.SUPPRESSION_REASON_UNSUBSCRIBED
MANUAL = suppressions_pb2.SUPPRESSION_REASON_MANUAL

# What a delivery's skip is recorded with; the first that applies.
_SKIPS = ((COMPLAINED, "suppressed_complained"), (BOUNCED, "suppressed_bounced"), (MANUAL, "suppressed_manual"))
_SKIP_UNSUBSCRIBED = "suppressed_unsubscribed"

SHARDS = 256

_DIGEST_BYTES = 8
_RECORD_BYTES = _DIGEST_BYTES + 1

# Addresses in what providers and operators write.
_ADDRESS = re.compile(r"[^\s…<>()\[\]\"',;:=/]+(?:@|%40)[^\s…<>()\[\]\"',;:=/]+", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\d{7,}")
_BETWEEN_DIGITS = "[ .()\u00a0-]*"

Get = Callable[[str], bytes | None]


def flag(reason: Reason) -> int:
    """Return a reason's bit."""
    return 1 << (reason - 1)


def normalised(channel: event_pb2.Channel.ValueType, address: str) -> str:
    """Return the one form of an address, however it is written; empty: it is none.

    E-mail: as it is sent to (services.domain.addresses), in lower case: no large provider distinguishes a mailbox by
    the case of its letters. SMS: E.164.
    """
    try:
        if channel == event_pb2.CHANNEL_SMS:
            return addresses.parse_phone(address)
        if channel == event_pb2.CHANNEL_EMAIL:
            form = addresses.parse_email(address).lower()
            return form if form.isascii() else unicodedata.normalize("NFC", form)
    except addresses.InvalidAddress:
        pass
    return ""


def stored_forms(channel: event_pb2.Channel.ValueType, address: str) -> list[str]:
    """Return the forms that a suppression of this address may be stored under, its normal form first.

    A number that is written with a trunk prefix ("+44 07911 123456") may be stored with it, by an earlier version.
    """
    form = normalised(channel, address)
    written = addresses.phone_as_written(address) if channel == event_pb2.CHANNEL_SMS else ""
    return [one for one in dict.fromkeys((form, written)) if one]


def digest(keyed: Pseudonyms, tenant_id: str, channel: event_pb2.Channel.ValueType, address: str) -> bytes:
    """Return the 32 bytes that stand for an address in its normal form; each tenant has its own.

    Numbers can be enumerated, so a SHA-256 alone would hide none from whoever reads the table.
    """
    # The inner digest is what versions without the key stored: its rows were brought over without their addresses.
    return keyed.suppression(hashlib.sha256(f"{tenant_id}/{channel}/{address}".encode()).digest())


def masked(address: str) -> str:
    """Return what may be shown of an address in its normal form: "a…@example.com", "+254…678"; less of a short one."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1] if len(local) > 2 else ''}…@{domain}"
    return f"{address[:4]}…{address[-3:] if len(address) > 10 else ''}"


def redacted(text: str, address: str = "") -> str:
    """Return a note with every e-mail address and number in it masked; address: one that it may hold in parts."""
    if address:
        text = re.sub(re.escape(address), masked(address), text, flags=re.IGNORECASE)
    found = _ADDRESS.sub(lambda one: masked(one.group().replace("%40", "@").rstrip(".")), text)
    digits = [one for one in address if one.isdecimal()] if address.startswith("+") else []
    if digits:
        found = re.sub(r"\+?" + _BETWEEN_DIGITS.join(digits), masked(address), found)
    return _NUMBER.sub(lambda one: masked(one.group()), found)


def shard(full: bytes) -> int:
    """Return which of a tenant's 256 keys holds this digest."""
    return full[0]


def pack(entries: Iterable[tuple[bytes, int]]) -> bytes:
    """Return a key's value: of each digest of one shard its flags."""
    return b"".join(full[1:_RECORD_BYTES] + bytes([flags]) for full, flags in entries)


def find(packed: bytes | None, full: bytes) -> int:
    """Return a digest's flags in its key's value; 0: it is not there."""
    if packed is None:
        return 0
    wanted = full[1:_RECORD_BYTES]
    at = packed.find(wanted)
    while at > 0 and at % _RECORD_BYTES:  # found across two records
        at = packed.find(wanted, at + 1)
    return packed[at + _DIGEST_BYTES] if at >= 0 else 0


class Suppressed:
    """Tells why an address gets nothing. get: a configuration watch's (topology.SUPPRESSIONS among its prefixes)."""

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
        """Return the skip's reason, empty: it may be sent. subscribed: whether the mail is what one unsubscribes from.

        Nobody is asked: what was suppressed less than some milliseconds ago may not be known here yet.
        """
        address = recipient.phone if channel == event_pb2.CHANNEL_SMS else recipient.email
        flags = 0
        for form in stored_forms(channel, address):
            full = digest(self._keyed, tenant_id, channel, form)
            flags |= find(self._get(topology.suppressions_key(tenant_id, shard(full))), full)
        if not flags:
            return ""
        for reason, word in _SKIPS:
            if flags & flag(reason):
                return word
        return _SKIP_UNSUBSCRIBED if subscribed and flags & flag(UNSUBSCRIBED) else ""

    def of_delivery(self, delivery: event_pb2.Delivery) -> str:
        """As reason, of a delivery that was planned before: the last look before it is sent."""
        return self.reason(delivery.tenant_id, delivery.channel, delivery.recipient, subscribed=delivery.subscribed)
