"""Identifiers: UUIDv7, ordered by time, or derived by hash where the same input must give the same id."""

import hashlib
import re
import uuid

import uuid_utils

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """Return a new UUIDv7 as text: ids given later sort later (to the millisecond)."""
    return str(uuid_utils.uuid7())


def time_of(uuid7: str) -> int:
    """Return when a UUIDv7 was made: Unix microseconds, rounded to a millisecond."""
    return int(uuid7[:8] + uuid7[9:13], 16) * 1000


def derived_id(*parts: str) -> str:
    """Return a UUIDv8 derived from these parts: the same parts give the same id, other parts another one."""
    digest = hashlib.sha256("\x1f".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    raw = bytearray(digest[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def derived_id_at(uuid7: str, *parts: str) -> str:
    """Return a UUIDv8 derived from these parts, which begins with the 48 bits of time of a UUIDv7."""
    digest = hashlib.sha256("\x1f".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    raw = bytearray(bytes.fromhex(uuid7[:8] + uuid7[9:13]) + digest[:10])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def is_uuid(text: str) -> bool:
    """Return whether text is a UUID in its usual 36 characters, in lower case.

    Configuration keys, digests and encryption contexts hold ids as they are written, and PostgreSQL does not tell
    cases apart: with two spellings of one id, half of a change would miss.
    """
    return _UUID.fullmatch(text) is not None
