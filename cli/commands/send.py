"""`clarion send`: an event for people."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.api import AdminClient, segment
from cli.commands.options import AsJson, Tenant, Wait
from cli.commands.trace import print_trace
from cli.console import FAILED, fail, out, print_json, run
from cli.follow import NotFinished


def send(
    event_type: Annotated[str, typer.Argument(help="Such as order.confirmed; global.success needs no template.")],
    tenant: Tenant,
    *,
    user: Annotated[str, typer.Option(help="The user id of a person, with --email and --phone.")] = "",
    email: Annotated[str, typer.Option(help="Where mail goes.")] = "",
    phone: Annotated[str, typer.Option(help="Where text messages go, such as +254712345678.")] = "",
    recipient: Annotated[
        list[str] | None, typer.Option(help="The id of a stored recipient; several are allowed.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="The key of a group; several are allowed.")] = None,
    var: Annotated[list[str] | None, typer.Option(help="A variable for the templates: name=value.")] = None,
    data: Annotated[Path | None, typer.Option(help="A JSON file with the variables; - reads standard input.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="EMAIL, SMS or PUSH; several are allowed.")] = None,
    at: Annotated[str, typer.Option(help="When to send it, in RFC 3339.")] = "",
    key: Annotated[str, typer.Option(help="The idempotency key: the same key within 24 hours is sent once.")] = "",
    wait: Annotated[bool, typer.Option(help="Follow it until it is finished.")] = False,
    timeout: Wait = 60.0,
    as_json: AsJson = False,
) -> None:
    """Send an event to people of a tenant. Exit status 1: with --wait, a delivery failed."""
    audience: list[dict[str, Any]] = [{"recipient_id": one} for one in recipient or ()]
    audience += [{"group": one} for one in group or ()]
    if user or email or phone:
        person = {"user_id": user, "email": email, "phone": phone}
        audience.append({"recipient": {name: value for name, value in person.items() if value}})
    if not audience:
        fail("Say whom it is for: --user, --email, --phone, --recipient or --group.", status=2)
    body: dict[str, Any] = {"event_type": event_type, "audience": audience, "variables": _variables(var or [], data)}
    body |= {"channels": channel} if channel else {}
    body |= {"due_at": at} if at else {}
    body |= {"idempotency_key": key} if key else {}

    async def work(client: AdminClient) -> int:
        accepted = await client.post(f"/tenants/{segment(tenant)}/events", body)
        if as_json:
            print_json(accepted)
        else:
            repeated = "  (a duplicate: not sent again)" if accepted["duplicate"] else ""
            out.print(f"{accepted['event_id']}{repeated}", markup=False)
        if not wait:
            return 0
        return await print_trace(client, accepted["event_id"], timeout_s=timeout, as_json=as_json)

    try:
        bad = run(work)
    except NotFinished as error:
        fail(str(error))
    if bad:
        raise typer.Exit(FAILED)


def _variables(given: list[str], data: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if data is not None:
        try:
            text = typer.get_binary_stream("stdin").read() if str(data) == "-" else data.read_bytes()
            found = orjson.loads(text)
        except (OSError, orjson.JSONDecodeError) as error:
            fail(f"{data} cannot be read as JSON: {error}", status=2)
        if not isinstance(found, dict):
            fail(f"{data} must hold a JSON object.", status=2)
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            fail(f"--var {one}: write name=value.", status=2)
        found[name] = value
    return found
