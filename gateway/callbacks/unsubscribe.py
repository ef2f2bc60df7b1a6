"""/unsubscribe/{token}: GET shows a page to confirm, POST unsubscribes (one click, RFC 8058)."""

import base64
import hashlib
import html

from aiohttp import web

from clarion.senders.v1 import reports_pb2
from gateway.clients import Clients
from gateway.replies import BodyError, read_bytes
from runtime.errors import ClarionError, Code

# The body is "List-Unsubscribe=One-Click". It is read, but not needed.
MAX_BODY_BYTES = 4096

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;color:#1d1d1f}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#1d1d1f;color:#fff}"
    "@media(prefers-color-scheme:dark){body{background:#1d1d1f;color:#f5f5f7}button{background:#f5f5f7;color:#1d1d1f}}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>
"""
_FORM = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">Unsubscribe</button></form>'
)


class UnsubscribeRoutes:
    """Handlers that ask senders' ReportService."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def show(self, request: web.Request) -> web.Response:
        """Show the page to confirm. A GET must change nothing, because programs follow links in mail."""
        wire = reports_pb2.GetUnsubscriptionRequest(token=_token(request))
        try:
            known = await self._clients.call(self._clients.reports.GetUnsubscription, wire)
        except ClarionError as error:
            return _fault(error)
        sender = f" from {known.sender}" if known.sender else ""
        text = f"{known.recipient} will get no more subscribed mail{sender}. Receipts and the like still arrive."
        return _page("Unsubscribe?", text, form=_FORM)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """Unsubscribe the recipient of the link."""
        try:
            await read_bytes(request, limit=MAX_BODY_BYTES)
            wire = reports_pb2.UnsubscribeRequest(token=_token(request))
            await self._clients.call(self._clients.reports.Unsubscribe, wire)
        except BodyError as fault:
            return _page("That did not work", fault.detail, status=fault.status)
        except ClarionError as error:
            return _fault(error)
        return _page("You are unsubscribed", "Subscribed mail ends here. Receipts and the like still arrive.")


def _token(request: web.Request) -> str:
    return request.match_info["token"].encode("utf-8", "replace").decode()


def _fault(error: ClarionError) -> web.Response:
    if error.code is Code.NOT_FOUND:
        return _page("This link is not valid", "It may have been cut off: copy all of it from the mail.", status=404)
    status = 500 if error.code is Code.INTERNAL else 503
    return _page("That did not work", "Please try again in a minute; nothing was changed.", status=status)


def _page(title: str, text: str, *, form: str = "", status: int = 200) -> web.Response:
    page = _PAGE.format(title=html.escape(title), style=_STYLE, text=html.escape(text), form=form)
    headers = {"Content-Security-Policy": _POLICY}
    return web.Response(text=page, content_type="text/html", charset="utf-8", status=status, headers=headers)
