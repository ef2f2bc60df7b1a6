"""The portal's pages: templates that escape everything, and the headers that they are sent with."""

import functools
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from runtime.errors import ClarionError, Code

_FOLDER = Path(__file__).parent
STYLE = _FOLDER / "static" / "portal.css"

# No scripts, and nothing from other sites. Browsers send the origin to this site only: forms are checked by it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "strict-origin",
}

_FAULTS: dict[Code, tuple[int, str, str]] = {
    Code.UNAUTHENTICATED: (
        401,
        "This link does not work any more",
        "A link can be opened once, and ends after a while. Ask for a new one where you got it.",
    ),
    Code.FORBIDDEN: (403, "That is not allowed", ""),
    Code.NOT_FOUND: (404, "Not found", "It was deleted, or never existed here."),
    Code.CONFLICT: (409, "That is not possible now", ""),
    Code.INVALID: (422, "Something is not right", ""),
    Code.LIMITED: (429, "Too many tries", "Wait a minute and try again."),
    Code.OVERLOADED: (503, "That did not work", "Please try again in a minute; nothing was changed."),
    Code.UNAVAILABLE: (503, "That did not work", "Please try again in a minute."),
}
_INTERNAL = (500, "That did not work", "Something failed on our side. Please try again.")


@functools.cache
def _environment() -> Any:
    # Loaded where the portal is used: most gateways never need it in memory.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(name: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return the page of a template in templates/, "list" for list.html."""
    text = _environment().get_template(f"{name}.html").render(values)
    return web.Response(text=text, content_type="text/html", charset="utf-8", status=status, headers=HEADERS)


def fault(error: ClarionError) -> web.Response:
    """Return the page for an error."""
    status, title, text = _FAULTS.get(error.code, _INTERNAL)
    answer = page("message", status=status, title=title, text=text or error.detail)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = str(max(1, error.retry_after))
    return answer


def see(path: str) -> web.Response:
    """Return what sends the browser to a page after a form."""
    return web.Response(status=303, headers={**HEADERS, "Location": path})
