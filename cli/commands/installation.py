"""The commands for operators. They use PostgreSQL, NATS and the processes directly, without an admin token."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from runtime.settings import load_or_exit


def add_commands(app: typer.Typer) -> None:
    """Add them to the `clarion` command."""
    for command in (migrate, backup, restore, doctor, health):
        app.command()(command)
    app.command("centrifugo-config")(centrifugo_config)
    app.command("owner-link")(owner_link)


def migrate() -> None:
    """Update PostgreSQL and NATS to this version and rebuild the configuration bucket. It is safe to repeat.

    Reads CLARION_POSTGRES_URL, CLARION_NATS_URL, CLARION_NATS_REPLICAS (1), CLARION_STREAM_MAX_BYTES (1 GiB).
    """
    from cli import migrate as migration
    from runtime.reconcile import FAILURES

    settings = load_or_exit(migration.Settings)
    try:
        asyncio.run(migration.migrate(settings, print))
    except (*FAILURES, RuntimeError) as error:
        _fail("migrate", error)


def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Copy the streams into a folder while everything runs; dump PostgreSQL afterwards. Reads CLARION_NATS_URL."""
    _copy("backup", folder)


def restore(folder: Annotated[Path, typer.Argument(help="The folder of a backup.")]) -> None:
    """Restore the streams of a backup into an empty NATS; run migrate afterwards. Reads CLARION_NATS_URL."""
    _copy("restore", folder)


def doctor() -> None:
    """Check everything that Clarion depends on. Exit status 1: a check failed.

    Reads the variables of the services, and CLARION_NATS_MONITOR_URL, CLARION_CENTRIFUGO_CONFIG.
    """
    from cli.doctor import Settings, examine

    raise typer.Exit(asyncio.run(examine(load_or_exit(Settings), print)))


def health() -> None:
    """Check whether one process is healthy. Exit status 1: it is not.

    Reads CLARION_HTTP_ADDRESS or CLARION_GRPC_ADDRESS of the process.
    """
    from cli.health import Settings, is_healthy

    try:
        healthy = asyncio.run(is_healthy(load_or_exit(Settings)))
    except ValueError as error:
        _fail("health", error)
    raise typer.Exit(0 if healthy else 1)


def centrifugo_config() -> None:
    """Print a safe centrifugo.json for production.

    Reads CLARION_CENTRIFUGO_TOKEN_SECRET, CLARION_CENTRIFUGO_API_KEY, CLARION_ALLOWED_ORIGINS,
    CLARION_CENTRIFUGO_PORT (8000).
    """
    from cli.centrifugo import Settings, rendered

    try:
        print(rendered(load_or_exit(Settings)))
    except ValueError as error:
        _fail("centrifugo-config", error)


def owner_link(
    *,
    reset: Annotated[str, typer.Option(metavar="E-MAIL", help="Whose password is to be reset.")] = "",
    unless_owned: Annotated[bool, typer.Option(help="Print nothing if there is an owner.")] = False,
) -> None:
    """Print the link by which the first owner of the console joins, or somebody resets their password.

    Reads CLARION_INGEST_ADDRESS, CLARION_SERVICE_TOKEN and CLARION_PUBLIC_URL, as the gateway does. Without the last
    one it prints the path of the link.
    """
    from cli import owner_link as links
    from runtime.errors import ClarionError

    settings = load_or_exit(links.Settings)
    try:
        link = asyncio.run(links.make_unless_owned(settings) if unless_owned else links.make(settings, reset))
    except ClarionError as error:
        _fail("owner-link", error)
    if link.startswith("/"):
        print(
            "clarion owner-link: CLARION_PUBLIC_URL is not set. Put the gateway's address before this path,"
            " such as http://127.0.0.1:8080:",
            file=sys.stderr,
        )
    if link:
        print(link)


def _copy(command: str, folder: Path) -> None:
    import nats.errors
    import nats.js.errors

    from cli import backup as copying
    from runtime.errors import ClarionError

    work = {"backup": copying.backup, "restore": copying.restore}[command]
    try:
        asyncio.run(work(load_or_exit(copying.Settings), folder, print))
    except (ClarionError, OSError, nats.errors.Error, nats.js.errors.Error) as error:
        _fail(command, error)


def _fail(command: str, error: Exception) -> None:
    print(f"clarion {command}: {error}", file=sys.stderr)
    raise typer.Exit(1)
