"""Where a caller of the Orqestra API puts its API key."""

from aiohttp import web

API_KEY_HEADER = "x-api-key"


def api_key(request: web.Request) -> str:
    """Return the API key that a request carries, empty if it has none."""
    return request.headers.get(API_KEY_HEADER, "")
