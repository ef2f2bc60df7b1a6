"""The `clarion` command.

Subcommands of the operator's own machine (migrate, doctor …) import what they need when they run, so that
`clarion --help` answers at once.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.commands import installation, keys, providers, replay, templates, tenants
from cli.commands.assistants import mcp
from cli.commands.send import send
from cli.commands.trace import trace
from runtime import logs

app = typer.Typer(
    name="clarion",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Clarion's command line. Commands that call the admin API read CLARION_URL and CLARION_ADMIN_TOKEN.",
)
app.command()(send)
app.command()(trace)
app.command()(mcp)
app.add_typer(templates.app, name="templates")
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.add_typer(providers.app, name="providers")
app.add_typer(replay.app, name="replay")
installation.add_commands(app)


@app.callback()
def _configure(
    *,
    verbose: Annotated[bool, typer.Option(help="Log what happens.")] = False,
) -> None:
    logs.configure("clarion", "info" if verbose else "error")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand and exit with its status."""
    app(args=None if arguments is None else list(arguments), prog_name="clarion")


if __name__ == "__main__":
    main()
