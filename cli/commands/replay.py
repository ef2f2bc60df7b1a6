"""`clarion replay`: send events again."""

import asyncio
import random
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import AdminClient, segment
from cli.commands.options import AsJson, Tenant, Wait
from cli.console import FAILED, err, fail, out, print_json, run

if TYPE_CHECKING:
    from rich.progress import Progress

app = typer.Typer(no_args_is_help=True, help="Send events again: one, or all of a tenant since a time.")

_PAUSE_S = 1.0


@app.command()
def event(
    event_id: Annotated[str, typer.Argument(help="The event's id.")],
    *,
    channel: Annotated[list[str] | None, typer.Option(help="Only on this channel; several are allowed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send one event again, as a new event with the same content."""
    body: dict[str, Any] = {"channels": channel} if channel else {}

    async def work(client: AdminClient) -> dict[str, Any]:
        made: dict[str, Any] = await client.post(f"/events/{segment(event_id)}/replay", body)
        return made

    made = run(work)
    if as_json:
        print_json(made)
    else:
        out.print(made["event_id"], markup=False)


@app.command()
def since(
    since_time: Annotated[str, typer.Argument(metavar="SINCE", help="Events accepted since then, in RFC 3339.")],
    tenant: Tenant,
    *,
    until: Annotated[str, typer.Option(help="Events accepted before this time; by default now.")] = "",
    status: Annotated[str, typer.Option(help="all, failed, dead or skipped.")] = "dead",
    per_second: Annotated[int, typer.Option(min=1, max=1000, help="How many at most each second.")] = 50,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until it is done.")] = True,
    timeout: Wait = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Send everything again that ended with a status. It goes on in Clarion even if this command is stopped."""
    body = {"tenant_id": tenant, "since": since_time, "status": status, "per_second": per_second}
    body |= {"until": until} if until else {}

    async def work(client: AdminClient) -> dict[str, Any]:
        started: dict[str, Any] = await client.post("/replays", body)
        if not wait:
            return started
        with _progress(hidden=as_json) as progress:
            return await _watch(client, started, progress, timeout)

    done = run(work)
    if as_json:
        print_json(done)
    else:
        out.print(f"{done['state']}: {done['replayed']} sent again, {done['unplayable']} without content  {done['id']}")
    if wait and done["state"] != "done":
        raise typer.Exit(FAILED)


def _progress(*, hidden: bool) -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    return Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)


async def _watch(client: AdminClient, replay: dict[str, Any], progress: "Progress", timeout_s: float) -> dict[str, Any]:
    first, last = (_seconds(replay[name]) for name in ("since", "until"))
    task = progress.add_task("replaying", total=max(last - first, 1.0), said="")
    try:
        async with asyncio.timeout(timeout_s):
            while replay["state"] == "running":
                await asyncio.sleep(_PAUSE_S * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
                replay = await client.get(f"/replays/{segment(replay['id'])}")
                at = _seconds(replay["position"]) if replay["position"] else first
                waits = f", waits: {replay['waiting']}" if replay["waiting"] else ""
                progress.update(task, completed=at - first, said=f"{replay['replayed']} sent again{waits}")
    except TimeoutError:
        fail(f"It is not done yet, and goes on: GET /api/v1/admin/replays/{replay['id']} shows its progress.")
    return replay


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
