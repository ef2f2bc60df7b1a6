"""A small disk (tmpfs) that can be filled and emptied. Mounting it needs root on Linux."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class CannotMountError(Exception):
    """This machine cannot mount a tmpfs. The text is the error of mount."""


class SmallDisk:
    """A tmpfs that is mounted on folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Fill the disk completely."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def empty(self) -> None:
        """Free the space that fill() used."""
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, *, mib: int, options: str = "rw") -> Iterator[SmallDisk]:
    """Mount a disk of this many MiB on a folder for the length of a block. Raises CannotMountError.

    options: as mount takes them, comma-separated: "ro", "noexec".
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700,{options}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CannotMountError("there is no mount command") from None
    except subprocess.CalledProcessError as error:
        raise CannotMountError(error.stderr.strip()) from None
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
