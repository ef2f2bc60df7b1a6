"""The data folder: what is made once stays, and what is broken is named."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stack.faults import StackError
from stack.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A new data folder."""
    return Folder(tmp_path / "data")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_secrets_are_made_once_and_private(folder: Folder) -> None:
    """A second start has the same secrets, and no other user reads them."""
    first = folder.secrets()
    assert Folder(folder.path).secrets() == first
    assert stat.S_IMODE((folder.path / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert len(first.service_token) == 64


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"postgres_password": 1}'])
def test_a_broken_secrets_file_is_named(folder: Folder, content: bytes) -> None:
    """Secrets are never made anew over a broken file: the database has the old password."""
    path = folder.path / "secrets.json"
    path.write_bytes(content)
    with pytest.raises(StackError, match=r"secrets\.json cannot be read .*make clean"):
        folder.secrets()
    assert path.read_bytes() == content


def test_a_folder_of_an_earlier_version_gets_the_secret_that_it_lacks(folder: Folder) -> None:
    """It keeps all others, and from then on that one, too."""
    path = folder.path / "secrets.json"
    before = msgspec.structs.asdict(folder.secrets())
    del before["pseudonym_key"]
    path.write_bytes(msgspec.json.encode(before))
    after = folder.secrets()
    assert len(after.pseudonym_key) == 64
    assert msgspec.structs.asdict(after) == {**before, "pseudonym_key": after.pseudonym_key}
    assert folder.secrets() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way is one sentence."""
    (tmp_path / "data").write_text("")
    with pytest.raises(StackError, match=r"data folder .*data cannot be created: File exists"):
        Folder(tmp_path / "data")


def test_ports_are_kept(folder: Folder) -> None:
    """The second start uses the first one's ports."""
    names = ["postgres", "ingest", "gateway"]
    first = folder.ports(names, gateway=None)
    assert folder.ports(names, gateway=None) == first
    assert len(set(first.values())) == 3


def test_new_names_get_ports_and_absent_names_keep_theirs(folder: Folder) -> None:
    """A replica that comes and goes does not move the others."""
    first = folder.ports(["postgres"], gateway=None)
    assert folder.ports(["postgres", "ingest-2"], gateway=None)["postgres"] == first["postgres"]
    second = folder.ports(["postgres", "ingest-2"], gateway=None)
    folder.ports(["postgres"], gateway=None)
    assert folder.ports(["postgres", "ingest-2"], gateway=None) == second


def test_a_taken_inner_port_moves(folder: Folder, taken_port: int) -> None:
    """Nobody outside depends on it."""
    (folder.path / "ports.json").write_text(f'{{"nats": {taken_port}}}')
    assert folder.ports(["nats"], gateway=None)["nats"] != taken_port


def test_the_gateways_port_does_not_move(folder: Folder, taken_port: int) -> None:
    """People and browsers know it: a taken one is an error that says what to do."""
    with pytest.raises(StackError, match=rf"Port {taken_port} is used by another program.*CLARION_PORT"):
        folder.ports(["gateway"], gateway=taken_port)
    (folder.path / "ports.json").write_text(f'{{"gateway": {taken_port}}}')
    with pytest.raises(StackError, match=f"Port {taken_port} is used"):
        folder.ports(["gateway"], gateway=None)


def test_one_supervisor_a_folder(folder: Folder) -> None:
    """The second one is told who has it; after the first let go it may."""
    folder.lock()
    other = Folder(folder.path)
    with pytest.raises(StackError, match=r"Another stack \(process \d+\) uses .*CLARION_DATA"):
        other.lock()
    folder.unlock()
    other.lock()
    other.unlock()
