"""A stack of a check's own, in a temporary folder that stays if something failed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bench.ground import prepare_postgres
from checks.ports import free_port
from checks.report import Report
from stack import client
from stack.client import Running
from stack.local import Options


@asynccontextmanager
async def own_stack(
    report: Report, name: str, *, replicas: Mapping[str, int], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Start a stack for the length of a block. name: of its folder. Raises StackError."""
    folder = Path(tempfile.mkdtemp(prefix=f"clarion-{name}-"))
    print(f"starting a stack in {folder}", flush=True)
    failed = report.failed
    await asyncio.to_thread(prepare_postgres, folder)
    options = Options(data=folder, port=free_port(), replicas=replicas)
    async with client.run(options, environment=environment) as running:
        yield running
    if report.failed > failed:
        print(f"the logs are in {folder}/log", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
