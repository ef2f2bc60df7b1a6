"""`clarion tenants`."""

from operator import itemgetter
from typing import Annotated, Any

import typer

from cli.api import AdminClient, segment
from cli.commands.options import AsJson, Limit
from cli.console import Columns, out, print_rows, printable, run, show

app = typer.Typer(no_args_is_help=True, help="Tenants: list, show, create.")


@app.command("list")
def list_all(*, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List tenants, newest first."""

    async def work(client: AdminClient) -> list[Any]:
        return [row async for row in client.rows("/tenants", limit=limit)]

    columns: Columns = {
        "id": itemgetter("id"),
        "name": itemgetter("name"),
        "active": lambda row: "yes" if row["active"] else "no",
        "created": itemgetter("created_at"),
    }
    empty = "There is no tenant. Create one with `clarion tenants create`."
    print_rows(run(work), columns, as_json=as_json, empty=empty)


@app.command("show")
def show_one(tenant: Annotated[str, typer.Argument(help="The tenant's id.")], *, as_json: AsJson = False) -> None:
    """Show a tenant with its limits."""

    async def work(client: AdminClient) -> dict[str, Any]:
        found: dict[str, Any] = await client.get(f"/tenants/{segment(tenant)}")
        return found

    found = run(work)
    show(found, as_json=as_json, text=lambda: _print(found))


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    *,
    sender_name: Annotated[str, typer.Option(help="Who its mail is from.")] = "",
    sender_email: Annotated[str, typer.Option(help="The address its mail is from.")] = "",
    account: Annotated[str, typer.Option(help="The id of the account that it belongs to; a new one by default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a tenant. Its API key is printed now and never again."""
    wanted = {"name": name, "sender_name": sender_name, "sender_email": sender_email, "account_id": account}

    async def work(client: AdminClient) -> dict[str, Any]:
        created: dict[str, Any] = await client.post(
            "/tenants", {field: value for field, value in wanted.items() if value}
        )
        return created

    created = run(work)
    show(created, as_json=as_json, text=lambda: _print(created))


def _print(tenant: dict[str, Any]) -> None:
    for field, value in tenant.items():
        out.print(printable(f"{field:<24} {'' if value is None else value}"), markup=False)
