"""`clarion trace`: what happened to an event, step by step, live."""

from typing import Annotated, Any

import typer
from rich.text import Text

from cli.api import AdminClient
from cli.commands.options import AsJson, Wait
from cli.console import FAILED, fail, out, print_json, printable, run
from cli.follow import NotFinished, failures, follow

_STYLES = {"ok": "green", "retrying": "yellow", "skipped": "dim", "failed": "red"}


def trace(
    event_id: Annotated[str, typer.Argument(help="Clarion's id of the event.")],
    *,
    follow_it: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait until it is finished, or show what is known now.")
    ] = True,
    timeout: Wait = 60.0,
    as_json: AsJson = False,
) -> None:
    """Show what happened to an event, step by step. Exit status 1: a delivery of it failed."""

    async def work(client: AdminClient) -> int:
        return await print_trace(client, event_id, timeout_s=timeout if follow_it else 0.0, as_json=as_json)

    try:
        bad = run(work)
    except NotFinished as error:
        if follow_it:
            fail(str(error))
        return
    if bad:
        raise typer.Exit(FAILED)


async def print_trace(client: AdminClient, event_id: str, *, timeout_s: float, as_json: bool) -> int:
    """Print an event's steps as they come. Returns how many deliveries failed. Raises NotFinished."""
    shown: set[tuple[str, ...]] = set()
    event: dict[str, Any] = {}
    async for event in follow(client, event_id, timeout_s=timeout_s):
        if not shown and not as_json:
            out.print(_headline(event))
        for step in event["timeline"]:
            # Records arrive in any order: a step may come to stand before those that were printed.
            key = tuple(str(step[name]) for name in ("time", "step", "delivery_id", "attempt"))
            if key not in shown:
                shown.add(key)
                _print(step, as_json=as_json)
    return failures(event)


def _print(step: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(step)
    else:
        out.print(_line(step))


def _headline(event: dict[str, Any]) -> Text:
    recipient = event["recipient"] or {}
    whom = recipient.get("user_id") or recipient.get("email") or recipient.get("phone")
    several = f"{event['delivery_count']} deliveries" if event["several_recipients"] else ""
    return Text(printable(f"{event['event_type']}  {whom or several}  {event['id']}"), style="bold")


def _line(step: dict[str, Any]) -> Text:
    line = Text()
    line.append(f"{(step['time'] or '')[11:23]}  ", style="dim")
    line.append(f"{(step['channel'] or ''):<8}")
    line.append(f"{step['step']:<12}", style=_STYLES.get(step["outcome"], ""))
    took = f"{step['duration_ms']:.1f} ms" if step["duration_ms"] else ""
    line.append(f"{took:>10}  ", style="dim")
    said = [step["provider"], step["reason"], step["detail"], _next(step)]
    line.append(printable("  ".join(one for one in said if one)))
    return line


def _next(step: dict[str, Any]) -> str:
    return f"next attempt {step['next_attempt_at']}" if step["next_attempt_at"] else ""
