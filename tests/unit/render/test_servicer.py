"""What the service says of a batch in its log."""

import json
import subprocess
import sys

# In a process of its own: a logger is set up once.
_PROGRAM = """
from runtime import logs
from services.render.frames import SMS, Content, Fault
from services.render.render import Item, Rendered
from services.render.servicer import _log_batch

logs.configure("render")
private = "there is no partial 'ada@example.com'"
faulty = Rendered(SMS, "template_error", Content(), private, faults=[Fault("body", 3, private), Fault("layout", 0, "")])
results = [Rendered(SMS, "", Content(text=private)), faulty, Rendered(SMS, "template_error", Content(), private)]
_log_batch([Item(name, private.encode()) for name in ("v1", "v2", "v3")], results, 0.01)
"""


def test_failures_are_logged_without_what_they_say() -> None:
    """Which version, why and where in it; a detail may quote what the recipient was to read."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["template_version_id"], line["reason"], line["faults"]) for line in lines[1:]] == [
        ("v2", "template_error", ["body:3", "layout:0"]),
        ("v3", "template_error", []),
    ]
    assert (lines[0]["items"], lines[0]["failed"]) == (3, 2)
    assert "ada@example.com" not in done.stdout
