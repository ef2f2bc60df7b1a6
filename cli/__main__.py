"""The `clarion` command.

Each subcommand imports what it needs when it runs, so that `clarion --help` answers at once.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime import logs
from runtime.settings import load_or_exit

_ENVIRONMENT = """\
environment:
  migrate  CLARION_POSTGRES_URL, CLARION_NATS_URL, CLARION_NATS_REPLICAS (1), CLARION_STREAM_MAX_BYTES (1 GiB)
  backup, restore
           CLARION_NATS_URL
  doctor   the variables of the services, and CLARION_NATS_MONITOR_URL, CLARION_CENTRIFUGO_CONFIG
  health   CLARION_HTTP_ADDRESS or CLARION_GRPC_ADDRESS of the process
  centrifugo-config
           CLARION_CENTRIFUGO_TOKEN_SECRET, CLARION_CENTRIFUGO_API_KEY, CLARION_ALLOWED_ORIGINS,
           CLARION_CENTRIFUGO_PORT (8000)
  owner-link
           CLARION_INGEST_ADDRESS, CLARION_SERVICE_TOKEN, CLARION_PUBLIC_URL of the gateway
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand and exit with its status."""
    parser = argparse.ArgumentParser(
        prog="clarion", epilog=_ENVIRONMENT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "migrate",
        help="update PostgreSQL and NATS to this version and rebuild the configuration bucket; safe to repeat",
    )
    for name, text in (
        ("backup", "copy the streams into a new folder while everything runs; dump PostgreSQL afterwards"),
        ("restore", "restore the streams of a backup into an empty NATS; run migrate afterwards"),
    ):
        commands.add_parser(name, help=text).add_argument("folder", type=Path)
    commands.add_parser("doctor", help="check everything that Clarion depends on; exit status 1 if a check fails")
    commands.add_parser("health", help="check whether one process is healthy; exit status 1 if it is not")
    commands.add_parser("centrifugo-config", help="print a safe centrifugo.json for production")
    owner = commands.add_parser("owner-link", help="print the link by which the first owner of the console joins")
    owner.add_argument("--reset", metavar="E-MAIL", default="", help="print a link to reset a console user's password")
    owner.add_argument("--unless-owned", action="store_true", help="print nothing if there is an owner")
    given = parser.parse_args(arguments)
    logs.configure("clarion", "error")
    if given.command in ("backup", "restore"):
        raise SystemExit(_copy(given.command, given.folder))
    if given.command == "owner-link":
        raise SystemExit(_owner_link(given.reset, unless_owned=given.unless_owned))
    run = {"migrate": _migrate, "doctor": _doctor, "health": _health, "centrifugo-config": _centrifugo_config}
    raise SystemExit(run[given.command]())


def _migrate() -> int:
    from cli.migrate import Settings, migrate
    from runtime.reconcile import FAILURES

    settings = load_or_exit(Settings)
    try:
        asyncio.run(migrate(settings, print))
    except (*FAILURES, RuntimeError) as error:
        print(f"clarion migrate: {error}", file=sys.stderr)
        return 1
    return 0


def _copy(command: str, folder: Path) -> int:
    import nats.errors
    import nats.js.errors

    from cli import backup
    from runtime.errors import ClarionError

    work = {"backup": backup.backup, "restore": backup.restore}[command]
    try:
        asyncio.run(work(load_or_exit(backup.Settings), folder, print))
    except (ClarionError, OSError, nats.errors.Error, nats.js.errors.Error) as error:
        print(f"clarion {command}: {error}", file=sys.stderr)
        return 1
    return 0


def _owner_link(reset: str, *, unless_owned: bool) -> int:
    from cli import owner_link
    from runtime.errors import ClarionError

    settings = load_or_exit(owner_link.Settings)
    work = owner_link.make_unless_owned(settings) if unless_owned else owner_link.make(settings, reset)
    try:
        link = asyncio.run(work)
    except ClarionError as error:
        print(f"clarion owner-link: {error.detail}", file=sys.stderr)
        return 1
    if link:
        print(link)
    return 0


def _doctor() -> int:
    from cli.doctor import Settings, examine

    return asyncio.run(examine(load_or_exit(Settings), print))


def _health() -> int:
    from cli.health import Settings, is_healthy

    try:
        return 0 if asyncio.run(is_healthy(load_or_exit(Settings))) else 1
    except ValueError as error:
        print(f"clarion health: {error}", file=sys.stderr)
        return 1


def _centrifugo_config() -> int:
    from cli.centrifugo import Settings, rendered

    try:
        print(rendered(load_or_exit(Settings)))
    except ValueError as error:
        print(f"clarion centrifugo-config: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
