"""The pure parts of the inbox component, by Node.js's own test runner; and the look that pages share."""

import json
import subprocess
from pathlib import Path

from gateway import looks
from stack import console, inbox, npm
from stack.node import find
from tests.packages import installed


def test_the_unit_tests_of_the_component() -> None:
    """Those in inbox/test."""
    node = installed(inbox.FOLDER)
    done = subprocess.run(
        [node, "build.mjs", "test"], cwd=inbox.FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout


def test_the_gateways_pages_have_the_look_of_the_console() -> None:
    """`cp console/src/styles/tokens.css gateway/looks/tokens.css` makes it so again."""
    of_console = console.FOLDER / "src" / "styles" / "tokens.css"
    assert looks.style(of_console) == of_console.read_bytes() + b"\n" + of_console.read_bytes()


def test_the_package_is_what_its_exports_say(tmp_path: Path) -> None:
    """What `npm pack` makes has a file for each export, and can be imported where there is no page, as on a server."""
    node = installed(inbox.FOLDER)
    inbox.build(print)
    (packed,) = json.loads(npm.run(find(npm.CACHE, print), ["pack", "--dry-run", "--json"], inbox.FOLDER))
    files = {f"./{file['path']}" for file in packed["files"]}
    manifest = json.loads((inbox.FOLDER / "package.json").read_text())
    named = [
        name for one in manifest["exports"].values() for name in (one.values() if isinstance(one, dict) else [one])
    ]
    assert set(named) <= files
    assert not any(name.startswith(("./src", "./test", "./node_modules")) for name in files)
    program = tmp_path / "server.mjs"
    program.write_text('import { english } from "@clarion/inbox";\nimport { german } from "@clarion/inbox/texts/de";\n')
    package = tmp_path / "node_modules" / "@clarion" / "inbox"
    package.parent.mkdir(parents=True)
    package.symlink_to(inbox.FOLDER)
    done = subprocess.run([node, program.name], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
