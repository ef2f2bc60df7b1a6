"""Reports of browsers that the console's page broke its Content-Security-Policy. Anybody can send them."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import Counter

from gateway.replies import BodyError, neutral_reply, read_bytes
from runtime import logs
from runtime.errors import ClarionError

_MAX_BYTES = 16 * 1024
_TYPES = frozenset({"application/csp-report", "application/reports+json", "application/json"})
# Reports of one body that are looked at.
_MAX_REPORTS = 20
# How many are logged in a minute. The rest is only counted.
LOGGED_PER_MINUTE = 30
_MAX_TEXT = 200
_DIRECTIVES = frozenset({
    "base-uri", "connect-src", "default-src", "font-src", "form-action", "frame-ancestors", "frame-src", "img-src",
    "object-src", "require-trusted-types-for", "script-src", "script-src-attr", "script-src-elem", "style-src",
    "style-src-attr", "style-src-elem", "trusted-types", "worker-src",
})  # fmt: skip

_reports = Counter(
    "clarion_csp_reports_total", "Violations of the console's content policy that browsers reported.", ["directive"]
)

log = logs.get(__name__)


class Reports:
    """Counts and logs reports. now: seconds of a clock that only goes forward."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._minute = -1
        self._logged = 0

    async def receive(self, request: web.Request) -> web.Response:
        """Take the reports of one body. 204, whatever they say."""
        if request.content_type not in _TYPES:
            return neutral_reply(415, f"Content-Type must be one of {', '.join(sorted(_TYPES))}.")
        try:
            document = orjson.loads(await read_bytes(request, limit=_MAX_BYTES))
        except BodyError as fault:
            return neutral_reply(fault.status, fault.detail)
        except ClarionError as error:
            return neutral_reply(503, error.detail, {"Retry-After": str(error.retry_after or 1)})
        except ValueError:
            return neutral_reply(400, "The body is not valid JSON.")
        if not isinstance(document, dict | list):
            return neutral_reply(400, "The body must be a report, or a list of them.")
        for report in _bodies(document):
            self._take(report)
        return web.Response(status=204)

    def _take(self, report: dict[str, Any]) -> None:
        directive = _text(report, "effective-directive", "effectiveDirective", "violated-directive").split(" ")[0]
        directive = directive if directive in _DIRECTIVES else "other"
        _reports.labels(directive).inc()
        minute = int(self._now() // 60)
        if minute != self._minute:
            self._minute, self._logged = minute, 0
        if self._logged >= LOGGED_PER_MINUTE:
            return
        self._logged += 1
        log.warning(
            "csp_report",
            directive=directive,
            blocked=_place(_text(report, "blocked-uri", "blockedURL")),
            page=_place(_text(report, "document-uri", "documentURL")),
            source=_place(_text(report, "source-file", "sourceFile")),
            line=_number(report, "line-number", "lineNumber"),
        )


def _bodies(document: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the reports of a body in either of both formats."""
    reports = [{"body": document.get("csp-report")}] if isinstance(document, dict) else document
    for one in reports[:_MAX_REPORTS]:
        body = one.get("body") if isinstance(one, dict) else None
        if isinstance(body, dict):
            yield body


def _text(report: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := report.get(name), str)), "")


def _number(report: dict[str, Any], *names: str) -> int:
    return next((value for name in names if isinstance(value := report.get(name), int)), 0)


def _place(address: str) -> str:
    """Return an address without its query and fragment, which may contain secrets."""
    return address.partition("?")[0].partition("#")[0][:_MAX_TEXT]
