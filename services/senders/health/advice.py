"""What an operator can do about a provider that failed, by the reason."""

from collections.abc import Mapping

from services.domain.reasons import Reason

_ACCOUNT = "Compare the account's settings with those at the provider, and replace the secret if it was changed there."

_ADVICE: Mapping[Reason, str] = {
    Reason.PROVIDER_UNREACHABLE: "Check the server's name and port, and whether a firewall lets this machine connect.",
    Reason.PROVIDER_TIMEOUT: "Check the server's name and port, and the provider's status page. A port that a firewall "
    "blocks does not answer either.",
    Reason.PROVIDER_TLS: "Check the encryption setting and the port, and whether the server's certificate is valid for "
    "its name.",
    Reason.PROVIDER_ERROR: "Look at the provider's status page, and at its answer. It is tried again by itself.",
    Reason.PROVIDER_DEFERRED: "Wait: it is tried again by itself. If it goes on, ask the provider about its answer.",
    Reason.PROVIDER_NO_ROUTE: "Check the number, and whether the provider reaches its country.",
    Reason.PROVIDER_THROTTLED: "Wait: it is tried again by itself. If it happens often, ask the provider for a higher "
    "limit.",
    Reason.PROVIDER_BUSY: "Try again in a moment. If it happens often, allow more connections.",
    Reason.PROVIDER_CREDENTIALS: _ACCOUNT,
    Reason.PROVIDER_QUOTA: "Top up the account at the provider, or raise its quota. Then send a test.",
    Reason.PROVIDER_SETTINGS: "Open the provider and save its settings again; the form shows which one is wrong.",
    Reason.ADDRESS_NOT_ALLOWED: "Ask the administrator of this installation to allow the address in "
    "CLARION_EGRESS_ALLOW, or use a public one.",
    Reason.RECIPIENT_REFUSED: "Check the recipient's address or number.",
    Reason.RECIPIENT_UNSUBSCRIBED: "The recipient opted out at the provider. Use another one for tests.",
    Reason.SENDER_REFUSED: "Verify the sender at the provider, or use one that is verified there.",
    Reason.MESSAGE_REFUSED: "Read the provider's answer: it says what it does not accept.",
    Reason.MESSAGE_TOO_LARGE: "Read the provider's answer: it says how large a message may be.",
    Reason.SMTPUTF8_UNSUPPORTED: "Use a recipient whose address has only ASCII letters before the @.",
    Reason.INVALID_SENDER: "Correct the tenant's sender or reply address.",
    Reason.INTERNAL_ERROR: "Look for the response's X-Trace-Id in the logs of senders.",
}
_OTHERWISE = "Read the provider's answer, and its documentation on it."


_REASONS: Mapping[str, Reason] = {one.value: one for one in Reason}


def advice(reason: str) -> str:
    """Return what to do about a failure, one or two sentences."""
    known = _REASONS.get(reason)
    return _ADVICE.get(known, _OTHERWISE) if known is not None else _OTHERWISE
