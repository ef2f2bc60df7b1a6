"""/console/frame: the document in which the console shows the HTML of mails.

The console's own policy forbids what mails consist of: style attributes, and images of other hosts. A frame with the
mail in `srcdoc` would inherit that policy. So the console embeds this document, which has a policy of its own and,
by its `sandbox`, no origin. It receives the HTML as a message, and shows it in a frame within: that one inherits the
policy of this document, and its `sandbox=""` allows no scripts, forms, links or origin at all.
"""

import base64
import hashlib
import re
from pathlib import Path

from aiohttp import web

from gateway.replies import neutral_reply

_PAGE = Path(__file__).with_name("static").joinpath("frame.html").read_text(encoding="utf-8")
_SCRIPT = re.search(r"<script>(.*?)</script>", _PAGE, re.DOTALL)
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT[1].encode() if _SCRIPT else b"").digest()).decode()
# Where images may come from, by the value of the parameter `images`.
_IMAGES: dict[str | None, str] = {None: "data:", "remote": "data: https: http:"}


async def serve_frame(request: web.Request) -> web.Response:
    """Return the document. With `?images=remote`, images of other hosts are loaded."""
    images = _IMAGES.get(request.query.get("images"))
    if images is None:
        return neutral_reply(400, "The parameter images may only be `remote`.")
    policy = (
        f"default-src 'none'; script-src 'sha256-{_HASH}'; style-src 'unsafe-inline'; img-src {images}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "SAMEORIGIN",
        "X-DNS-Prefetch-Control": "off",
        "Cache-Control": "no-cache",
    }
    return web.Response(text=_PAGE, content_type="text/html", headers=headers)
