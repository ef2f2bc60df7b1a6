"""`clarion templates`: a tenant's templates as files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli.api import AdminClient
from cli.commands.options import AsJson, Tenant
from cli.console import FAILED, err, fail, out, print_json, printable, run
from cli.templates import files, sync
from cli.templates.files import LocalTemplate, Unreadable

app = typer.Typer(no_args_is_help=True, help="A tenant's templates as files: pull, push, lint, preview.")

Folder = Annotated[Path, typer.Argument(help="The folder of the files.")]


@app.command()
def pull(folder: Folder, tenant: Tenant, *, as_json: AsJson = False) -> None:
    """Write the active templates, the layouts and the partials of a tenant into a folder."""

    async def work(client: AdminClient) -> int:
        await sync.exists(client, tenant)
        count = 0
        async for path in sync.pull(client, tenant, folder):
            count += 1
            if as_json:
                print_json({"path": str(path)})
            else:
                out.print(str(path), markup=False)
        return count

    if run(work) == 0 and not as_json:
        out.print("The tenant has no active templates of its own.")


@app.command()
def push(
    folder: Folder,
    tenant: Tenant,
    *,
    activate: Annotated[bool, typer.Option(help="Activate the new versions.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be created, and create nothing.")] = False,
    force: Annotated[bool, typer.Option(help="Also what somebody else has changed since the pull.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a new version of what has changed. Nothing is created if somebody else changed one of them meanwhile."""
    local = _read(folder)

    async def work(client: AdminClient) -> None:
        await sync.exists(client, tenant)
        known = await sync.newest_versions(client, tenant)
        todo = sync.changed(local, known)
        if not force and (other := sync.conflicts(todo, known)):
            fail(
                *(f"{one.path}: a newer version exists than the one that was pulled." for one in other),
                "Pull into another folder and compare, or push with --force.",
            )
        async for line in sync.push_parts(client, tenant, folder, dry=dry_run):
            _say(line, as_json=as_json)
        for template in _tracked(todo, "pushing", as_json=as_json):
            if not dry_run:
                await sync.push(client, tenant, template, activate=activate)
            _say(template.name, as_json=as_json)
        if not todo and not as_json:
            out.print("No template has changed.")

    run(work)


@app.command()
def lint(folder: Folder, tenant: Tenant, *, as_json: AsJson = False) -> None:
    """Render every template, with its sample if it has one, and list errors and warnings. Exit status 1: errors."""
    local = _read(folder)

    def say(level: str, text: str) -> None:
        if as_json:
            print_json({"level": level, "text": text})
        else:
            out.print(printable(f"{level}: {text}"), style="red" if level == "error" else "yellow", markup=False)

    async def work(client: AdminClient) -> int:
        await sync.exists(client, tenant)
        bad = 0
        for template in _tracked(local, "checking", as_json=as_json):
            bad += await sync.faults(client, tenant, folder, template, say)
        return bad

    if run(work):
        raise typer.Exit(FAILED)
    if not as_json:
        out.print(f"{len(local)} templates, no errors", style="green")


@app.command()
def preview(
    path: Annotated[Path, typer.Argument(help="The file of a template's body.")],
    tenant: Tenant,
    *,
    html: Annotated[Path | None, typer.Option(help="Write the HTML into this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Render one template with its sample, and print it as text."""
    folder = path.parent.parent
    template = next((one for one in _read(folder) if one.path == path), None)
    if template is None:
        fail(f"{path} is no template of {folder}.", status=2)

    async def work(client: AdminClient) -> dict[str, object]:
        return await sync.preview(client, tenant, folder, template)

    found = run(work)
    if as_json:
        print_json(found)
    if "failure" in found:
        fail(*(["The template cannot be rendered: run `clarion templates lint`."] if not as_json else []))
    content = dict(found["content"])  # type: ignore[call-overload]
    if html is not None:
        html.write_text(content["html"], encoding="utf-8")
    if not as_json:
        for name in ("subject", "title", "text", "body"):
            if content[name]:
                out.print(printable(content[name]), style="bold" if name in ("subject", "title") else "", markup=False)


def _read(folder: Path) -> list[LocalTemplate]:
    try:
        list(files.read_parts(folder))
        return files.read(folder)
    except (Unreadable, OSError) as error:
        fail(str(error), status=2)


def _tracked(templates: list[LocalTemplate], what: str, *, as_json: bool) -> Iterable[LocalTemplate]:
    from rich.progress import track

    return track(templates, what, console=err, disable=as_json or not err.is_terminal)


def _say(line: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"changed": line})
    else:
        out.print(printable(line), markup=False)
