"""Identifiers: UUIDv7, ordered by time, or derived by hash where the same input must give the same id."""

import hashlib
import re

import uuid_utils

# The first two bits of this digit are the variant.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """Return a new UUIDv7 as text: ids given later sort later (to the millisecond)."""
    return str(uuid_utils.uuid7())


def time_of(uuid7: str) -> int:
    """Return when a UUIDv7 was made: Unix microseconds, rounded to a millisecond."""
    return int(uuid7[:8] + uuid7[9:13], 16) * 1000


def derived_id(*parts: str) -> str:
    """Return a UUIDv8 derived from these parts: the same parts give the same id, other parts another one."""
    return _uuid8(_digest(parts))


def derived_id_at(uuid7: str, *parts: str) -> str:
    """Return a UUIDv8 derived from these parts, which begins with the 48 bits of time of a UUIDv7."""
    return _uuid8(uuid7[:8] + uuid7[9:13] + _digest(parts))


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\x1f".join([f"{len(part)}:{part}" for part in parts]).encode()).hexdigest()


def _uuid8(digits: str) -> str:
    """Return the UUIDv8 with these hexadecimal digits, but for its version and variant; more than 32 are left out."""
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


def is_uuid(text: str) -> bool:
    """Return whether text is a UUID in its usual 36 characters, in lower case.

    Configuration keys, digests and encryption contexts hold ids as they are written, and PostgreSQL does not tell
    cases apart: with two spellings of one id, half of a change would miss.
    """
    return _UUID.fullmatch(text) is not None
