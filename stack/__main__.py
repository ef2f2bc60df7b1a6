"""`python -m stack`: starts the local stack, prints how to use it, and keeps it running until Ctrl-C."""

import argparse
import asyncio
import os
import signal
import sys
import time

from stack import processes
from stack.faults import StackError
from stack.local import Options, Stack, platform_fault
from stack.state import StackState

_EVENT = """\
{"eventType":"order.confirmed","channels":["EMAIL","SMS","PUSH"],
  "payload":{"userId":"%(user)s","recipientEmail":"ada@example.com","recipientPhone":"+254712345678"},
  "variables":{"customerName":"Ada","orderId":"A-1001","total":"KES 4,200",
    "items":[{"name":"Walnut desk lamp","quantity":1,"price":"KES 3,000"},
             {"name":"Linen shade","quantity":2,"price":"KES 1,200"}]}}"""

_READY = """
Clarion is up.

%(console)s
  gateway      %(url)s
  API key      %(key)s   (tenant %(tenant)s)
  Sendmator    %(team_key)s   (team %(team)s)
  admin token  %(admin)s
  demo shop    %(url)s/demo
  demo outbox  %(url)s/demo/outbox
  API docs     %(url)s/docs
  logs         %(data)s/log

Send one e-mail, one SMS and one push:

curl -sS %(url)s/api/v1/events/trigger -H 'x-api-key: %(key)s' -H 'content-type: application/json' -d '
%(event)s'

Start a workflow, as Sendmator's clients do (docs/sendmator.md):

curl -sS %(url)s/api/v1/events/send -H 'X-API-Key: %(team_key)s' -H 'X-Team-ID: %(team)s' \\
  -H 'Content-Type: application/json' -d '
{"event_name":"user_signup","user_info":{"contact_external_id":"user_12345","email":"john.doe@example.com",
  "name":"John Doe"},"source":{"type":"web_signup"}}'

Ctrl-C stops everything; the data stays in %(data)s.
"""


# The link makes whoever opens it first the owner; it is printed until there is one.
_JOIN = """\
  console      %s
               Open it once to become the owner. It ends after a day; `make run` and `clarion owner-link` make new ones.
"""

_VARIABLES = """\
variables:
  CLARION_DATA             the folder with all data (.clarion)
  CLARION_PORT             the gateway's port (as last time, else 8080 or the next free one)
  CLARION_PORTS            where the other ports are taken from, such as 20000-20099
  CLARION_REPLICAS         processes of each role, such as senders=2,router=2 (1)
  CLARION_ALLOWED_ORIGINS  origins of pages in addition to the gateway's own, such as http://devbox:8080

docs/local-stack.md says more.
"""


class StepReporter:
    """Prints one line per step with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one line without buffering."""
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)


async def _run(options: Options) -> int:
    report = StepReporter()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    stack = Stack(options, report)
    report(f"data folder: {options.data}")
    stopped = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(stack.start())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            state = await starting
            print(_ready(state, await stack.owner_link()), flush=True)
            report("ready")
            await stopped
        return 0
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        report("stopping (press Ctrl-C again to stop at once)")
        await _stop(stack, stop)
        report("stopped")


async def _stop(stack: Stack, again: asyncio.Event) -> None:
    """Stop in order. A second signal kills everything."""
    again.clear()
    orderly = asyncio.create_task(stack.stop())
    impatient = asyncio.create_task(again.wait())
    await asyncio.wait({orderly, impatient}, return_when=asyncio.FIRST_COMPLETED)
    impatient.cancel()
    if not orderly.done():
        orderly.cancel()
        await asyncio.gather(orderly, return_exceptions=True)
        await stack.kill()
        return
    await orderly


def _ready(state: StackState, owner_link: str) -> str:
    return _READY % {
        "console": _JOIN % owner_link if owner_link else f"  console      {state.url}/console",
        "url": state.url,
        "key": state.api_key,
        "tenant": state.tenant_id,
        "team_key": state.team_key,
        "team": state.team,
        "admin": state.admin_token,
        "data": state.data,
        "event": _EVENT % {"user": state.user_id or processes.DEMO_USER},
    }


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m stack",
        description="Start the local stack, print how to use it, and keep it running until Ctrl-C. It takes no"
        " arguments: its options are variables of the environment.",
        epilog=_VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def main() -> None:
    """Run the stack. If it cannot run, print the reason and exit with status 1; with 2 for an unknown argument."""
    _parser().parse_args()
    try:
        if fault := platform_fault():
            raise StackError(fault)
        status = asyncio.run(_run(Options.from_environment(os.environ)))
    except StackError as error:
        print(f"make run: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
