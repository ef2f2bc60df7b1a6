"""Where things of a container are on this machine: ports, volumes, mounted files. Nothing else is changed in a text."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import free_port
from tests.integration.compose.compose_file import ROOT, Service

_OWN = ("0.0.0.0", "127.0.0.1")


@dataclass
class Places:
    """Of one run. folder: this run's own. taken: ports of servers that run already, by service and port."""

    folder: Path
    taken: dict[tuple[str, int], int]
    # What else stands for something else, such as a database's name.
    names: dict[str, str]
    _ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def port(self, service: str, port: int) -> int:
        """Return the port that stands for a service's."""
        if found := self.taken.get((service, port)):
            return found
        return self._ports.setdefault((service, port), free_port())

    def address(self, service: str, port: int) -> str:
        """Return where a service's port is."""
        return f"127.0.0.1:{self.port(service, port)}"

    def local(self, text: str, name: str, services: dict[str, Service]) -> str:
        """Return a text of the named service as it reads here."""
        for theirs, here in self._mounts(name, services):
            text = re.sub(rf"(?<![\w.-]){re.escape(theirs)}(?=[/\" ]|$)", str(here), text)
        hosts = "|".join(re.escape(host) for host in (*services, *_OWN))
        text = re.sub(
            rf"(?<![\w.-])({hosts}):(\d+)\b",
            lambda found: self.address(name if found[1] in _OWN else found[1], int(found[2])),
            text,
        )
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        return text

    def volume(self, name: str) -> Path:
        """Return the folder that is a named volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _mounts(self, name: str, services: dict[str, Service]) -> list[tuple[str, Path]]:
        mounts = []
        for volume in services[name].get("volumes", []):
            source, target, *_ = volume.split(":")
            is_file = source.startswith("./")
            mounts.append((target, self._file(source, name) if is_file else self.volume(source)))
        return mounts

    def _file(self, source: str, name: str) -> Path:
        return self.folder / "files" / name / Path(source).name

    def mount_files(self, name: str, services: dict[str, Service]) -> None:
        """Put the files that a service mounts where it finds them, with addresses and folders as they are here."""
        for volume in services[name].get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                here = self._file(source, name)
                here.parent.mkdir(parents=True, exist_ok=True)
                here.write_text(self.local((ROOT / source).read_text(), name, services))
