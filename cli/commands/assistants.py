"""`clarion mcp`: the server for assistants."""

import re
from typing import Annotated

import msgspec
import typer

from cli.api import Settings
from cli.console import fail
from runtime.settings import load_or_exit

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}")


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>: the gateway. Over HTTP each request brings its own token."""

    url: str


def mcp(
    *,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve HTTP there at /mcp; by default standard input and output.")
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name (and port) by which clients reach it, besides loopback.")
    ] = None,
) -> None:
    """Serve an assistant by the Model Context Protocol: find and explain events, preview templates, replay.

    Over standard input and output it acts with CLARION_ADMIN_TOKEN. Over HTTP each request brings an admin token of
    its own. The role of the token decides what a tool may do.
    """
    from cli.assistant import server

    if not http:
        settings = load_or_exit(Settings)
        server.serve_stdio(settings.url, settings.admin_token.reveal())
        return
    if not _ADDRESS.fullmatch(http):
        fail(f"--http {http}: write host:port, such as 127.0.0.1:8765.", status=2)
    server.serve_http(load_or_exit(HttpSettings).url, http, tuple(allow_host or ()))
