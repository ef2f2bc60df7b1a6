"""The admin API as the command and the server for assistants call it."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec
import orjson

from runtime.settings import Secret

_PREFIX = "/api/v1/admin"
# Longer than any deadline of the gateway.
_DEADLINE_S = 40.0
_LARGEST = 32 * 1024 * 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>: the gateway, and an admin token. On the command line others would see the token."""

    url: str
    admin_token: Secret


class Refused(Exception):
    """The API refused a call. The text says what is wrong and what to do; fields: the same for each field."""

    def __init__(self, status: int, detail: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        # Where the detail only counts the faults, they stand here.
        self.fields = tuple(one for one in fields if one.partition(": ")[2] not in detail)


class Unreachable(Exception):
    """The gateway does not answer."""


class AdminClient:
    """Calls of the admin API. Use it as an asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        import aiohttp  # takes a quarter of a second, which `clarion health` need not wait for

        self._failures = (aiohttp.ClientError, TimeoutError, OSError)
        self._url = url.rstrip("/")
        timeout = aiohttp.ClientTimeout(total=_DEADLINE_S)
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str | int | None] | None = None) -> Any:
        """Return the body of a GET. Parameters that are None or empty are left out. Raises Refused, Unreachable."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Any = None) -> Any:
        """Return the body of a POST, None if it has none. Raises like get()."""
        return await self._call("POST", path, body={} if body is None else body)

    async def put(self, path: str, body: Any) -> Any:
        """Return the body of a PUT. Raises like get()."""
        return await self._call("PUT", path, body=body)

    async def patch(self, path: str, body: Any) -> Any:
        """Return the body of a PATCH. Raises like get()."""
        return await self._call("PATCH", path, body=body)

    async def delete(self, path: str) -> None:
        """Delete. Raises like get()."""
        await self._call("DELETE", path)

    async def rows(
        self, path: str, query: Mapping[str, str | int | None] | None = None, *, limit: int
    ) -> AsyncIterator[Any]:
        """Yield the rows of a list, page by page, at most limit. Raises like get()."""
        cursor, left = None, limit
        while left > 0:
            page = await self.get(path, {**(query or {}), "cursor": cursor, "limit": min(left, 100)})
            for row in page["data"]:
                yield row
            left -= len(page["data"])
            cursor = page["next_cursor"]
            if not cursor:
                return

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str | int | None] | None = None, body: Any = None
    ) -> Any:
        params = {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}
        data = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + _PREFIX + path, params=params, data=data, headers=headers, allow_redirects=False
            ) as response:
                content = bytearray()
                # read() returns what has arrived.
                while len(content) < _LARGEST and (part := await response.content.read(_LARGEST - len(content))):
                    content += part
                return _result(response.status, bytes(content))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self._url} does not answer: {error or type(error).__name__}.") from error


def segment(text: str) -> str:
    """Return an id as a part of a path."""
    return quote(text, safe="")


def _result(status: int, content: bytes) -> Any:
    try:
        body = orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        raise Unreachable(f"The answer is not that of a Clarion gateway (status {status}).") from None
    if status < 400:
        return body
    known = body if isinstance(body, dict) else {}
    fields = tuple(f"{one['field']}: {one['detail']}" for one in known.get("errors", ()))
    raise Refused(status, known.get("detail") or known.get("message") or f"Status {status}.", fields)
