"""`clarion keys`: the API keys of a tenant."""

from operator import itemgetter
from typing import Annotated, Any

import typer

from cli.api import AdminClient, segment
from cli.commands.options import AsJson, Tenant
from cli.console import Columns, out, print_json, print_rows, run

app = typer.Typer(no_args_is_help=True, help="Further API keys of a tenant: list, create, revoke.")


@app.command("list")
def list_all(tenant: Tenant, *, as_json: AsJson = False) -> None:
    """List the further keys of a tenant, newest first."""

    async def work(client: AdminClient) -> list[Any]:
        return list((await client.get(f"/tenants/{segment(tenant)}/keys"))["data"])

    columns: Columns = {
        "id": itemgetter("id"),
        "name": itemgetter("name"),
        "kind": itemgetter("kind"),
        "ends with": itemgetter("last4"),
        "expires": itemgetter("expires_at"),
        "state": lambda row: "off" if row["disabled"] else "on",
    }
    print_rows(run(work), columns, as_json=as_json, empty="The tenant has no further keys, only its own.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses it.")],
    tenant: Tenant,
    *,
    kind: Annotated[str, typer.Option(help="Which API takes it.")] = "api",
    expires: Annotated[str, typer.Option(help="When it ends, in RFC 3339; by default never.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a key. It is printed now and never again."""
    body = {"name": name, "kind": kind} | ({"expires_at": expires} if expires else {})

    async def work(client: AdminClient) -> dict[str, Any]:
        created: dict[str, Any] = await client.post(f"/tenants/{segment(tenant)}/keys", body)
        return created

    created = run(work)
    if as_json:
        print_json(created)
    else:
        out.print(created["api_key"], markup=False)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, not the key.")],
    tenant: Tenant,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Revoke a key: what uses it is refused from now on."""
    if not yes:
        typer.confirm(f"Revoke the key {key_id}?", abort=True)

    async def work(client: AdminClient) -> None:
        await client.delete(f"/tenants/{segment(tenant)}/keys/{segment(key_id)}")

    run(work)
