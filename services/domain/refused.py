"""Why a gateway refused a request, and what its sender can do. The one list, for the gateway, ingest and the API.

A reason is a word for programs; its text and fix are for people. Words are stored and shown, so they never change.
"""

from enum import StrEnum
from typing import Self


class Refused(StrEnum):
    """The word, what was wrong, and what to do about it."""

    text: str
    fix: str

    def __new__(cls, word: str, text: str, fix: str) -> Self:
        """Make a member of a line below."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.text = text
        member.fix = fix
        return member

    # The key.
    KEY_MISSING = (
        "key_missing",
        "The request had no API key.",
        "Send the key in the header that the API's page names.",
    )
    KEY_MALFORMED = (
        "key_malformed",
        "What was sent as the API key cannot be one: it has spaces, other characters than ASCII, or is too long.",
        "Look for line ends and quotes around the key in the caller's settings.",
    )
    KEY_UNKNOWN = (
        "key_unknown",
        "No tenant has, or had, this API key.",
        "Compare the last four characters with the tenant's keys. It may be the key of another installation.",
    )
    KEY_REVOKED = (
        "key_revoked",
        "The API key was revoked.",
        "Replace it in the caller's settings with a key of the tenant that is valid, or create one.",
    )
    KEY_ROTATED = (
        "key_rotated",
        "The API key was replaced with a new one.",
        "Put the new key in the caller's settings. If it is lost, rotate the key again.",
    )
    KEY_EXPIRED = ("key_expired", "The API key has expired.", "Create a new key, and put it in the caller's settings.")
    KEY_DISABLED = (
        "key_disabled",
        "The API key is disabled.",
        "Enable the key, or replace it in the caller's settings.",
    )
    KEY_OF_ANOTHER_KIND = (
        "key_of_another_kind",
        "The API key is valid, but for another API.",
        "Use a key of the kind that this API takes, or call the API that the key is for.",
    )
    TENANT_INACTIVE = (
        "tenant_inactive",
        "The API key is one of a tenant that is not active.",
        "Activate the tenant, or stop the caller.",
    )
    TOKEN_INVALID = (
        "token_invalid",
        "The realtime token is missing, expired or revoked.",
        "Have the caller's server issue a new token.",
    )
    SIGNATURE_WRONG = (
        "signature_wrong",
        "The key is valid, but the request's signature is missing or wrong.",
        "Sign the exact bytes of the body with a webhook secret of the tenant that is valid.",
    )
    TOO_MANY_FAILURES = (
        "too_many_failures",
        "This address sent too many wrong keys within a minute.",
        "Stop the caller, or give it a valid key. A valid key is accepted at any time.",
    )
    FORBIDDEN = (
        "forbidden",
        "The key is valid, but not for this.",
        "Use a key without these bounds, or change what the caller does.",
    )

    # The request.
    INVALID = ("invalid", "A field of the request is missing or wrong.", "Correct the fields that are named.")
    MALFORMED = ("malformed", "The request cannot be read.", "Send a body that is valid JSON.")
    TOO_LARGE = (
        "too_large",
        "The request is larger than the tenant's or the API's limit.",
        "Send less, or raise the tenant's max_payload_bytes.",
    )
    TOO_SLOW = ("too_slow", "The body took too long to arrive.", "Look at the network between the caller and here.")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported_media_type",
        "The body is compressed, or its Content-Type is not application/json.",
        "Send Content-Type: application/json, without Content-Encoding.",
    )
    NOT_FOUND = (
        "not_found",
        "The path, or the object in it, does not exist.",
        "Compare the address and the ids with those that the API's page has.",
    )
    METHOD_NOT_ALLOWED = (
        "method_not_allowed",
        "The path does not take this method.",
        "Use the method that the API's page has.",
    )
    CONFLICT = (
        "conflict",
        "What was asked for contradicts what is stored.",
        "Read what the response says. A repeat with another body needs another key for duplicates.",
    )

    # Limits.
    RATE_LIMITED = (
        "rate",
        "A rate of the tenant or of the key is used up.",
        "Send less, or raise the rate. The response says when to try again.",
    )
    QUOTA = (
        "quota",
        "As many events of the tenant are unfinished as may be.",
        "Look for what holds them up, such as a provider that is down, or raise the tenant's limit.",
    )
    OVERLOADED = (
        "overloaded",
        "This installation had no room for the request.",
        "The caller should try again. If it happens often, add processes.",
    )
    OTHER = ("other", "The request was refused.", "Look for the trace id in the gateway's log.")


# Why the key of a request is not accepted, by what is stored of it.
BY_KEY_STATE = {
    "unknown": Refused.KEY_UNKNOWN,
    "revoked": Refused.KEY_REVOKED,
    "rotated": Refused.KEY_ROTATED,
    "expired": Refused.KEY_EXPIRED,
    "disabled": Refused.KEY_DISABLED,
    "inactive": Refused.TENANT_INACTIVE,
    "valid": Refused.KEY_OF_ANOTHER_KIND,
}
BY_WORD = {one.value: one for one in Refused}
