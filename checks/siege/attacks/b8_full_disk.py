"""Another program fills the file system of the broker's store, and empties it again."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from checks.siege import neighbour
from checks.siege.scene import MIB, Scene
from checks.siege.siege import Attack
from checks.strike import DUPLICATES_BOUND
from stack import processes

# The local stack wants 512 MiB free.
TMPFS_MIB = 640
_FULL_S = 15.0
_BACK_S = 90.0
_DOCTOR_S = 40.0
_LOOK_S = 0.5


async def _attack(scene: Scene) -> None:
    ballast = scene.running.data / "nats" / "ballast"
    full = Looker(scene)
    began = time.time()
    await asyncio.to_thread(_fill, ballast)
    try:
        await full.look(_FULL_S)
        doctor = await _doctor(scene)
    finally:
        ballast.unlink(missing_ok=True)
    emptied = time.time()
    scene.notes.append(f"full for {emptied - began:.0f} s: {full.said()}; the doctor {doctor}")
    refused = any(status != "200" for status in full.triggers)
    told = any(status != "200" for status in full.pages["/readyz"])
    scene.check(not refused or told, f"while triggers failed /readyz said {_counted(full.pages['/readyz'])}")
    scene.check(not refused or doctor != "found nothing", f"while triggers failed the doctor {doctor}")
    after = Looker(scene)
    seconds = await after.until_accepted(_BACK_S)
    scene.excused.append((began, time.time() + 1.0))
    scene.notes.append(f"empty again: {after.said()}")
    if seconds is None:
        scene.check(
            False, f"nothing was accepted within {_BACK_S:.0f} s of the disk's emptying; NATS was then restarted"
        )
        await _restart(scene)
    else:
        scene.check(True, f"accepted again {seconds:.1f} s after the disk was emptied")
    # The supervisor may restart it: that is how it recovers.
    scene.own_ends.add("nats")
    scene.repeats = DUPLICATES_BOUND


class Looker:
    """Triggers events and checks the health pages. no_after: the seconds until a page first reported a problem."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._number = 0
        self.triggers: Counter[str] = Counter()
        self.no_after: dict[str, float] = {}
        self.pages: dict[str, Counter[str]] = {"/healthz": Counter(), "/readyz": Counter()}

    async def look(self, seconds: float) -> None:
        """Watch for this long."""
        until = time.monotonic() + seconds
        async with self._asking_pages():
            while time.monotonic() < until:
                await self._trigger()
                await asyncio.sleep(_LOOK_S)

    async def until_accepted(self, deadline: float) -> float | None:
        """Return the seconds until an event was accepted, None if none was."""
        began = time.monotonic()
        async with self._asking_pages():
            while time.monotonic() - began < deadline:
                if await self._trigger() == "200":
                    return time.monotonic() - began
                await asyncio.sleep(_LOOK_S)
        return None

    @asynccontextmanager
    async def _asking_pages(self) -> AsyncIterator[None]:
        """Check both pages meanwhile, because a trigger may take long to fail."""

        async def ask() -> None:
            began = time.monotonic()
            while True:
                for page, told in self.pages.items():
                    try:
                        answer = str((await self._scene.client.http.call("GET", page)).status)
                    except (aiohttp.ClientError, TimeoutError, OSError) as error:
                        answer = type(error).__name__
                    told[answer] += 1
                    if answer != "200":
                        self.no_after.setdefault(page, time.monotonic() - began)
                await asyncio.sleep(_LOOK_S)

        asking = asyncio.create_task(ask())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _trigger(self) -> str:
        """Trigger an event. Return the response."""
        self._number += 1
        event = neighbour.event(f"disk-{id(self)}-{self._number}", ["SMS"])
        try:
            async with asyncio.timeout(8):
                said = str((await self._scene.client.tenant.trigger(event)).status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = type(error).__name__
        self.triggers[said] += 1
        return said

    def said(self) -> str:
        """Return the response."""
        pages = "; ".join(
            f"{page} {_counted(told)}" + (f" (after {self.no_after[page]:.1f} s)" if page in self.no_after else "")
            for page, told in self.pages.items()
        )
        return f"triggers {_counted(self.triggers)}; {pages}"


def _counted(answers: Counter[str]) -> str:
    return ", ".join(f"{number} x {answer}" for answer, number in answers.most_common())


def _fill(ballast: "os.PathLike[str]") -> None:
    """Fill the rest of the file system."""
    with open(ballast, "wb", buffering=0) as file:  # noqa: PTH123 - unbuffered, so that the last block is written, too
        for size in (MIB, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


async def _doctor(scene: Scene) -> str:
    process = await asyncio.create_subprocess_exec(
        *processes.command("cli"),
        "doctor",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=processes.ROOT,
        env={**os.environ, **scene.running.variables},
    )
    try:
        async with asyncio.timeout(_DOCTOR_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"did not end within {_DOCTOR_S:.0f} s"
    found = [line for line in output.decode(errors="replace").splitlines() if line.startswith("FAIL")]
    return f"found {len(found)}: {found[0][:120] if found else ''}" if process.returncode else "found nothing"


async def _restart(scene: Scene) -> None:
    """The actions that an operator had to take."""
    starts = scene.kill_nats()
    await scene.running.wait_restarted("nats", starts)
    seconds = await Looker(scene).until_accepted(60)
    scene.excused[-1] = (scene.excused[-1][0], time.time() + 1.0)
    scene.notes.append(f"after that restart an event was accepted {f'in {seconds:.1f} s' if seconds else 'never'}")


ATTACK = Attack("b8", "the disk of the broker's store fills and is emptied", _attack, tmpfs_mib=TMPFS_MIB)
