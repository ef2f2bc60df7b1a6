"""Between a folder and a tenant's templates."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from cli.api import AdminClient, segment
from cli.templates import files
from cli.templates.files import LocalTemplate

# More than a tenant has in practice; a longer list is read up to here.
MOST = 10_000

Versions = dict[tuple[str, str, str], dict[str, Any]]


async def newest_versions(client: AdminClient, tenant_id: str) -> Versions:
    """Return the newest version of each template of a tenant, by (event type, channel, locale)."""
    found: Versions = {}
    async for version in client.rows("/templates", {"tenant_id": tenant_id}, limit=MOST):
        if version["tenant_id"] == tenant_id:
            # Newest first.
            found.setdefault((version["event_type"], version["channel"], version["locale"] or ""), version)
    return found


async def pull(client: AdminClient, tenant_id: str, folder: Path) -> AsyncIterator[Path]:
    """Write the active version of each template and the newest one of each part. Yields the paths."""
    query = {"tenant_id": tenant_id, "active": "true"}
    async for version in client.rows("/templates", query, limit=MOST):
        if version["tenant_id"] == tenant_id:
            yield files.write(folder, version)
    async for part in client.rows("/template-parts", {"tenant_id": tenant_id, "newest": "true"}, limit=MOST):
        if part["tenant_id"] == tenant_id:
            yield files.write_part(folder, part)


async def push_parts(client: AdminClient, tenant_id: str, folder: Path, *, dry: bool) -> AsyncIterator[str]:
    """Create a version of each layout and partial that has changed. Yields a line for each."""
    query = {"tenant_id": tenant_id, "newest": "true"}
    known = {
        (part["kind"], part["name"]): part["body"]
        async for part in client.rows("/template-parts", query, limit=MOST)
        if part["tenant_id"] == tenant_id
    }
    for kind, name, body in files.read_parts(folder):
        if known.get((kind, name)) != body:
            if not dry:
                wanted = {"tenant_id": tenant_id, "kind": kind, "name": name, "body": body}
                await client.post("/template-parts", wanted)
            yield f"{kind.lower()} {name}"


def changed(local: list[LocalTemplate], known: Versions) -> list[LocalTemplate]:
    """Return the templates whose content differs from their newest version."""
    return [one for one in local if (found := known.get(_key(one))) is None or one.differs(found)]


def conflicts(local: list[LocalTemplate], known: Versions) -> list[LocalTemplate]:
    """Return those that somebody else has changed since they were pulled."""
    return [one for one in local if (found := known.get(_key(one))) is not None and found["id"] != one.based_on]


def _key(one: LocalTemplate) -> tuple[str, str, str]:
    return one.event_type, one.channel, one.locale


async def push(client: AdminClient, tenant_id: str, template: LocalTemplate, *, activate: bool) -> dict[str, Any]:
    """Create a version, and note it beside the file. Returns the version."""
    body = {
        **template.settings,
        "tenant_id": tenant_id,
        "event_type": template.event_type,
        "channel": template.channel,
        "body": template.body,
        "locale": template.locale,
        "activate": activate,
    }
    version: dict[str, Any] = await client.post("/templates", body)
    files.write(template.path.parent.parent, version)
    return version


async def preview(client: AdminClient, tenant_id: str, folder: Path, template: LocalTemplate) -> dict[str, Any]:
    """Return what the API's preview says of a template, rendered with its sample and the folder's own parts."""
    parts = list(files.read_parts(folder))
    layout = template.settings.get("layout", "")
    layouts = {name: body for kind, name, body in parts if kind == "LAYOUT"}
    body: dict[str, Any] = {
        "tenant_id": tenant_id,
        "channel": template.channel,
        "body": template.body,
        "locale": template.locale,
        "variables": template.sample,
        "partials": {name: text for kind, name, text in parts if kind == "PARTIAL"},
    }
    body |= {name: template.settings[name] for name in ("subject", "preheader") if name in template.settings}
    if layout in layouts:
        body["layout_body"] = layouts[layout]
    elif layout:
        body["layout"] = layout
    found: dict[str, Any] = await client.post("/templates/preview", body)
    return found


async def faults(
    client: AdminClient, tenant_id: str, folder: Path, template: LocalTemplate, say: Callable[[str, str], None]
) -> int:
    """Report a template's errors and warnings: say(level, text). Returns the number of errors."""
    found = await preview(client, tenant_id, folder, template)
    if failure := found.get("failure"):
        for one in failure["errors"] or [{"field": "body", "line": None, "detail": failure["detail"]}]:
            line = f":{one['line']}" if one["line"] else ""
            place = "" if one["field"] == "body" else f" {one['field']}:"
            say("error", f"{template.path}{line}:{place} {one['detail']}")
        return max(1, len(failure["errors"]))
    report = found["report"]
    if template.sample:
        for one in report["missing"]:
            line = f":{one['line']}" if one["line"] else ""
            say("warning", f"{template.path}{line}: the sample has no variable {one['name']}")
    if report["clipped_by_gmail"]:
        say("warning", f"{template.path}: {report['size_bytes']} bytes: Gmail cuts what is longer than 102 KiB")
    if report["not_sent"]:
        say("warning", f"{template.path}: would not be sent: {report['not_sent']['detail']}")
    return 0


async def exists(client: AdminClient, tenant_id: str) -> None:
    """Raise Refused if there is no such tenant: a list of a mistyped id would be empty."""
    await client.get(f"/tenants/{segment(tenant_id)}")
