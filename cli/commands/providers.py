"""`clarion providers`."""

from operator import itemgetter
from typing import Annotated, Any

import orjson
import typer

from cli.api import AdminClient, segment
from cli.commands.options import AsJson, Tenant
from cli.console import Columns, fail, out, print_json, print_rows, run

app = typer.Typer(no_args_is_help=True, help="Providers of a tenant: list, create, delete.")


@app.command("list")
def list_all(tenant: Tenant, *, as_json: AsJson = False) -> None:
    """List providers in the order in which they are tried."""

    async def work(client: AdminClient) -> list[Any]:
        return list((await client.get("/providers", {"tenant_id": tenant}))["data"])

    rows = sorted(run(work), key=itemgetter("channel", "priority"))
    columns: Columns = {name: itemgetter(name) for name in ("id", "channel", "kind", "name", "priority")}
    empty = "No provider. Create one with `clarion providers create`; the kind sandbox sends nothing."
    print_rows(rows, columns, as_json=as_json, empty=empty)


@app.command()
def create(
    channel: Annotated[str, typer.Argument(help="EMAIL or SMS.")],
    kind: Annotated[str, typer.Argument(help="Such as sandbox, smtp, resend, twilio.")],
    tenant: Tenant,
    *,
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    priority: Annotated[int, typer.Option(help="The lowest is tried first.")] = 0,
    setting: Annotated[
        list[str] | None, typer.Option(help="name=value; for secrets use --settings-from instead.")
    ] = None,
    settings_from: Annotated[
        typer.FileBinaryRead | None, typer.Option(help="A JSON file with the settings; - reads standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a provider."""
    try:
        settings = orjson.loads(settings_from.read()) if settings_from else {}
    except orjson.JSONDecodeError as error:
        fail(f"The settings are not JSON: {error}", status=2)
    for one in setting or ():
        field, equals, value = one.partition("=")
        if not equals:
            fail(f"--setting {one}: write name=value.", status=2)
        settings[field] = _value(value)
    wanted = {"tenant_id": tenant, "channel": channel, "kind": kind, "settings": settings, "priority": priority}

    async def work(client: AdminClient) -> dict[str, Any]:
        created: dict[str, Any] = await client.post("/providers", wanted | ({"name": name} if name else {}))
        return created

    created = run(work)
    if as_json:
        print_json(created)
    else:
        out.print(created["id"], markup=False)


@app.command()
def delete(
    provider_id: Annotated[str, typer.Argument(help="The provider's id.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a provider. Its credentials are deleted with it."""
    if not yes:
        typer.confirm(f"Delete the provider {provider_id}?", abort=True)

    async def work(client: AdminClient) -> None:
        await client.delete(f"/providers/{segment(provider_id)}")

    run(work)


def _value(text: str) -> Any:
    """Return a number or a boolean as such, and everything else as text."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found if isinstance(found, bool | int) else text
