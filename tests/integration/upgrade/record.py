"""Records the state that a version leaves behind, for the next version's upgrade test: see README.md.

python -m tests.integration.upgrade.record <checkout of the version> [<folder>]
"""

import argparse
import asyncio
import shutil
import tempfile
from pathlib import Path

from stack.folder import Folder
from tests.integration.upgrade import recording
from tests.integration.upgrade.installation import Version, installation
from tests.integration.upgrade.scenario import Scenario


async def record(previous: Version, folder: Path, data: Path) -> None:
    """Run a version in the folder data, and write what it leaves behind into another one."""
    secrets = Folder(data / "secrets").secrets()
    async with installation(data / "stack", secrets) as running:
        found = await Scenario(running, previous).record()
        shutil.rmtree(folder, ignore_errors=True)
        await recording.write(folder, found, running, previous)


def main() -> None:
    """Read the arguments, and record."""
    parser = argparse.ArgumentParser(description="Record the state that a version leaves behind.")
    parser.add_argument("checkout", type=Path, help="a git worktree of the version's commit")
    parser.add_argument("folder", type=Path, nargs="?", default=recording.FOLDER, help="where the recording goes")
    arguments = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="clarion-record-"))
    try:
        asyncio.run(record(Version(arguments.checkout.resolve()), arguments.folder, data))
    except BaseException:
        print(f"the logs are in {data}")
        raise
    shutil.rmtree(data)
    size = sum(file.stat().st_size for file in arguments.folder.rglob("*") if file.is_file())
    print(f"recorded into {arguments.folder}: {size // 1024} KiB")


if __name__ == "__main__":
    main()
