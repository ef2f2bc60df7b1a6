"""Options that several commands have."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text; of a list one object per line.")]
Tenant = Annotated[str, typer.Option("--tenant", "-t", envvar="CLARION_TENANT_ID", help="The id of the tenant.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")]
Wait = Annotated[float, typer.Option("--timeout", min=1, help="How long to wait, in seconds.")]
