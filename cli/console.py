"""What the commands print, how they call the API, and with which status they exit."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console

from cli.api import AdminClient, Refused, Settings, Unreachable
from runtime.settings import load_or_exit

T = TypeVar("T")
# By header: what stands in the cell of a row.
Columns = Mapping[str, Callable[[dict[str, Any]], Any]]

# The exit statuses (docs/cli.md). 1: what was asked for failed, such as a delivery or a check. 2: wrong usage.
FAILED = 1
REFUSED = 3
NOT_FOUND = 4
NOT_ALLOWED = 5
UNREACHABLE = 6

# A pipe gets the same text without colors.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def run(work: Callable[[AdminClient], Awaitable[T]]) -> T:
    """Run work with a client of the gateway that the environment names. Exits with a status if a call fails."""
    settings = load_or_exit(Settings)

    async def within() -> T:
        async with AdminClient(settings.url, settings.admin_token.reveal()) as client:
            return await work(client)

    try:
        return asyncio.run(within())
    except Refused as error:
        fail(
            str(error),
            *error.fields,
            status=_STATUSES.get(error.status, REFUSED if error.status < 500 else UNREACHABLE),
        )
    except Unreachable as error:
        fail(str(error), status=UNREACHABLE)


_STATUSES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}


def fail(*lines: str, status: int = FAILED) -> NoReturn:
    """Print what is wrong, and exit."""
    for line in lines:
        err.print(line, style="red", markup=False)
    raise typer.Exit(status)


def show(value: Any, *, as_json: bool, text: Callable[[], None]) -> None:
    """Print a value as JSON, or what text() prints."""
    if as_json:
        print_json(value)
    else:
        text()


def print_json(value: Any) -> None:
    """Print a value as JSON on one line: one value per line can be read as it comes."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def print_rows(rows: Sequence[dict[str, Any]], columns: Columns, *, as_json: bool, empty: str) -> None:
    """Print the rows of a list: as JSON, one on each line, or as a table."""
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(list(columns), ([cell(row) for cell in columns.values()] for row in rows), empty=empty)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows below their columns, or the text for no rows. Nothing is cut: an id that is cut is of no use."""
    cells = [[printable("" if value is None else str(value)) for value in row] for row in rows]
    if not cells:
        out.print(empty, markup=False)
        return
    lines = [list(columns), *cells]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(columns))]
    for number, line in enumerate(lines):
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        out.print("  ".join(padded).rstrip(), style="dim" if number == 0 else None, markup=False)


def printable(text: str) -> str:
    """Return a text without characters that a terminal obeys."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
