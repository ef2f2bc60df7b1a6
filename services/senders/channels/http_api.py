"""What providers with an HTTP API have in common: one POST, its response, and no secrets in what is recorded."""

import base64
import dataclasses
import email.utils
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from runtime.printable import printable
from runtime.settings import Secret
from services.delivery.ports import MAX_DETAIL, Handed, SendResult, Verdict
from services.domain.reasons import Reason
from services.domain.secret_headers import HIDDEN
from services.senders import exchanges
from services.senders.ports import ADDRESS_NOT_ALLOWED, HttpRequest, HttpResponse, HttpTransport, NoResponse

DEADLINE_S = 10.0
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_MAX_MESSAGE_ID = 255
# Headers of calls that are no credentials; of the others only the names are stored.
_SHOWN_HEADERS = frozenset({"accept", "content-type", "idempotency-key"})
_LONGEST_RETRY_AFTER_S = 900.0

# Verdicts for calls without a complete response, by reason; any other is TRANSIENT.
_VERDICTS: dict[str, Verdict] = {Reason.PROVIDER_BUSY: Verdict.POSTPONED, ADDRESS_NOT_ALLOWED: Verdict.PERMANENT}

M = TypeVar("M")


class HttpApi(Generic[M]):
    """A provider (see services.senders.ports). request: returns the call for a message. read: returns its result.

    secrets: these are removed from results, because the API may repeat them.
    """

    def __init__(
        self,
        http: HttpTransport,
        kind: str,
        request: Callable[[M], HttpRequest],
        read: Callable[[HttpResponse], SendResult],
        *,
        secrets: Sequence[Secret] = (),
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._http = http
        self._kind = kind
        self._request = request
        self._read = read
        self._secrets = [secret.reveal() for secret in secrets if secret.reveal()]
        self._deadline_s = deadline_s

    async def send(self, message: M) -> SendResult:
        """See services.senders.ports.Provider."""
        request = self._request(message)
        try:
            answer = await self._http.post(request, deadline_s=self._deadline_s)
        except NoResponse as error:
            verdict = _VERDICTS.get(error.reason, Verdict.TRANSIENT)
            result = SendResult(verdict, provider=self._kind, reason=error.reason, detail=error.detail)
            http = exchanges.exchange(request.url, 0)
        else:
            result = self._read(answer)
            # An accepted message needs no headers: they would be half of what the ledger stores of it.
            headers = () if result.verdict is Verdict.SENT else tuple(answer.headers.items())
            http = exchanges.exchange(request.url, answer.status, headers, answer.body, hidden=self._secrets)
        return dataclasses.replace(
            result,
            detail=self._shown(result.detail),
            provider_message_id=printable(result.provider_message_id, _MAX_MESSAGE_ID),
            http=http,
            handed=self._handed(request),
        )

    def _handed(self, request: HttpRequest) -> Handed:
        headers = {name: value if name.lower() in _SHOWN_HEADERS else HIDDEN for name, value in request.headers.items()}
        return Handed(exchanges.without(request.body, self._secrets), request.url, headers)

    async def close(self) -> None:
        """Do nothing: the process owns the connections."""

    def _shown(self, detail: str) -> str:
        for secret in self._secrets:
            detail = detail.replace(secret, "…")
        return printable(detail, MAX_DETAIL)


def check_key(name: str, key: Secret) -> list[tuple[str, str]]:
    """Return the faults of a key that is sent in a header, for the setting called name."""
    value = key.reveal()
    if value and value.isascii() and value.isprintable() and " " not in value:
        return []
    return [(name, "This is not a key: printable ASCII without blanks is expected.")]


def refused(kind: str, answer: HttpResponse, detail: str) -> SendResult | None:
    """Return the result of a status that means the same for all providers; None: its provider decides.

    detail: the provider's own words.
    """
    said = f"{answer.status} {detail}"
    if answer.status == 429:
        return SendResult(
            Verdict.THROTTLED, kind, Reason.PROVIDER_THROTTLED, said, retry_after_s=retry_after_s(answer.headers)
        )
    if answer.status == 413:
        return SendResult(Verdict.PERMANENT, kind, Reason.MESSAGE_TOO_LARGE, said)
    if answer.status >= 500:
        # Some say when they will be available again.
        return SendResult(
            Verdict.TRANSIENT, kind, Reason.PROVIDER_ERROR, said, retry_after_s=retry_after_s(answer.headers)
        )
    if answer.status in {301, 302, 303, 307, 308, 404, 405, 406, 408, 415}:
        return SendResult(Verdict.TRANSIENT, kind, Reason.PROVIDER_ERROR, said)
    return None


def retry_after_s(
    headers: Mapping[str, str], *, now: datetime | None = None, longest_s: float = _LONGEST_RETRY_AFTER_S
) -> float:
    """Return the seconds of Retry-After (a number or a date), else of ratelimit-reset; 0.0: neither is given.

    longest_s: a longer time is cut to it.
    """
    now = now or datetime.now(UTC)
    text = headers.get("retry-after") or headers.get("ratelimit-reset") or headers.get("x-ratelimit-reset") or ""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(text) - now).total_seconds()
        except (TypeError, ValueError):
            return 0.0
    if seconds > 1_000_000_000:  # a moment in Unix time
        seconds -= now.timestamp()
    return min(max(seconds, 0.0), longest_s) if seconds == seconds else 0.0  # noqa: PLR0124 - NaN


def decoded(answer: HttpResponse) -> dict[str, Any]:
    """Return the response's JSON object; empty: the body is not one."""
    try:
        value = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def text(answer: HttpResponse) -> str:
    """Return the response's body as one line."""
    limit = 4 * MAX_DETAIL
    return printable(answer.body[:limit].decode(errors="replace"), limit)


def basic_auth(username: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
