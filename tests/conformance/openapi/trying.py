"""Runs schemathesis over a running stack's document: right data and wrong, and calls after one another."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from stack.state import StackState

# What a dialect's customers, browsers and providers call, and what operators call: the second would shut out the
# tenant whose key the first one shows.
PUBLIC = ("Console", "Orqestra", "Nahook", "Sendmator", "Gateway", "Demo", "Callbacks", "Inbox", "Polling", "Portal")

# Wrong credentials are tried by the hundred, from one address.
ENVIRONMENT = {"CLARION_AUTH_FAILURES_PER_MINUTE": "0"}

# Of calls after one another, where each uses what the one before it made.
MIN_SCENARIOS = 15

# The admin API has so many calls that could follow one another that schemathesis finds no scenario in its time.
_ONE_BY_ONE = ("--phases", "examples,coverage,fuzzing")

_CONFIG = """
color = false
continue-on-failure = true
workers = 1
[cache]
enabled = false
[generation]
mode = "all"
deterministic = true
database = "none"
[phases.stateful.generation]
max-examples = {scenarios}
[auth.openapi.tenantKey]
api_key = "{api_key}"
[auth.openapi.operator]
bearer = "{admin_token}"
[auth.openapi.realtimeToken]
bearer = "not-a-token"
[auth.openapi.nahookKey]
bearer = "{nahook_key}"
[auth.openapi.nahookToken]
bearer = "{nahook_token}"
[auth.openapi.sendmatorKey]
api_key = "{sendmator_key}"
[parameters]
"path.workspace_id" = "{workspace_id}"
"header.X-Team-ID" = "{team}"
[checks]
# What a schema cannot say (a template that compiles, an address that is one) is refused with 422.
positive_data_acceptance.enabled = false

# Not HTTP after its first answer.
[[operations]]
include-path = "/connection/websocket"
enabled = false
# DELETE of a tenant shuts it out; nothing is deleted, and it can still be read.
[[operations]]
include-path-regex = "^/api/v1/admin/tenants/"
checks.use_after_free.enabled = false
"""


@dataclass(frozen=True)
class Tried:
    """What came of it. output: all that schemathesis printed."""

    passed: bool
    output: str

    @property
    def summary(self) -> str:
        """The end of it."""
        return self.output[self.output.rfind("SUMMARY") :].partition("\n")[2].strip()


def run(state: StackState, folder: Path, *, examples: int, deadline: float, admin: bool) -> Tried:
    """Try the admin API, or all else, with so many generated calls for each operation. Blocking."""
    folder.mkdir(parents=True, exist_ok=True)
    config = _CONFIG.format(
        api_key=state.api_key,
        admin_token=state.admin_token,
        nahook_key=_create_key(state, "nahook"),
        nahook_token=_create_key(state, "nahook_management"),
        sendmator_key=_create_key(state, "sendmator"),
        team=state.team,
        workspace_id="ws_" + state.tenant_id.replace("-", ""),
        scenarios=max(examples, MIN_SCENARIOS),
    )
    (folder / "schemathesis.toml").write_text(config)
    option = "--exclude-tag" if admin else "--include-tag"
    chosen = [part for tag in PUBLIC for part in (option, tag)]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{state.url}/openapi.json"),
        *("--max-examples", str(examples), "--request-timeout", "20"),
        *(_ONE_BY_ONE if admin else ()),
        *chosen,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=deadline, check=False)
    return Tried(done.returncode == 0, done.stdout + done.stderr)


def _create_key(state: StackState, kind: str) -> str:
    """Return a new key of the demo tenant."""
    request = urllib.request.Request(  # noqa: S310 - our own gateway
        f"{state.url}/api/v1/admin/tenants/{state.tenant_id}/keys",
        data=json.dumps({"name": "schemathesis", "kind": kind}).encode(),
        headers={"Authorization": f"Bearer {state.admin_token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return str(json.load(answer)["api_key"])
