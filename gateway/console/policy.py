"""The headers with which the console's page is served."""

from gateway.policies import sockets_of

REPORTS = "/csp-reports"

# Trusted Types: no text becomes markup or a script's address by any function of the browser, and no library may
# bring a policy of its own that allows it.
_POLICY = (
    "default-src 'none'; "
    "script-src 'self' 'nonce-{nonce}'; "
    "style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'{sockets}; "
    "frame-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; "
    "report-uri {reports}"
)
_PERMISSIONS = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")

# `same-origin`: with `no-referrer`, browsers send forms without their origin, which the gateway checks.
SAFE_HEADERS = {
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _PERMISSIONS),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page_headers(host: str, nonce: str) -> dict[str, str]:
    """Return the headers of the page. host: of the request. nonce: that of this response."""
    # Not `report-to`: browsers would then send reports up to a minute later, and over https only.
    policy = _POLICY.format(nonce=nonce, sockets=sockets_of(host), reports=REPORTS)
    return {**SAFE_HEADERS, "Content-Security-Policy": policy, "Cache-Control": "no-store"}
