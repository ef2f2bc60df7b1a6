"""Imports of CSV files on PostgreSQL: each row is stored once or reported, whatever happens meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from clarion.router.v1 import imports_pb2
from runtime.errors import ClarionError, Code
from services.router.imports import store as import_store
from services.router.imports.worker import Imports
from services.router.recipients.writing import RecipientWriter
from tests.integration.router.recipient_world import OTHER, TENANT, Api

DONE, RUNNING = imports_pb2.IMPORT_STATE_DONE, imports_pb2.IMPORT_STATE_RUNNING
CANCELED, FAILED = imports_pb2.IMPORT_STATE_CANCELED, imports_pb2.IMPORT_STATE_FAILED


async def _upload(api: Api, file: bytes, *, chunk: int = 50, **options: Any) -> str:
    """Upload a file in chunks; return the import's id."""
    wanted = imports_pb2.ImportOptions(tenant_id=TENANT, file_name="people.csv", by="ada", **options)
    import_id = (await api.call("CreateImport", options=wanted)).summary.id
    for position in range(0, len(file), chunk):
        body = file[position : position + chunk]
        await api.call("AddImportChunk", import_id=import_id, position=position, chunk=body)
    return str(import_id)


async def _started(api: Api, file: bytes, **options: Any) -> str:
    import_id = await _upload(api, file, **options)
    started = await api.call("StartImport", import_id=import_id, size=len(file))
    assert started.summary.state == RUNNING
    return import_id


async def _done(api: Api, file: bytes, **options: Any) -> imports_pb2.Import:
    """Import a file; return what became of it."""
    import_id = await _started(api, file, **options)
    await _work_off(api)
    return await _import(api, import_id)


async def _work_off(api: Api) -> None:
    while await api.imports.step():
        pass


async def _import(api: Api, import_id: str) -> imports_pb2.Import:
    summary: imports_pb2.Import = (await api.call("GetImport", import_id=import_id)).summary
    return summary


async def _faults(api: Api, import_id: str) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    cursor = ""
    while True:
        page = await api.call("ListImportFaults", import_id=import_id, limit=2, cursor=cursor)
        found += [(one.line, one.column, one.description) for one in page.faults]
        cursor = page.next_cursor
        if not cursor:
            return found


async def _get(api: Api, recipient_id: str) -> Any:
    return (await api.call("GetRecipient", recipient_id=recipient_id)).recipient


async def test_a_file_is_imported_and_what_is_wrong_is_reported(api: Api) -> None:
    """Rows that are right are stored; the others are told by line and column, without the addresses in them."""
    await api.put("b", email="b@example.org", name="Bob", tags=["old"], data=b'{"plan":"free","kept":1}')
    file = (
        "\ufeffrecipient_id;email;name;tags;data.plan;data.seats:number;data.ok:boolean;unknown\r\n"
        'a;a@example.org;"Ada; ""the first""\nLovelace";"vip, beta";pro;12.50;yes;x\r\n'
        "b;;;new;pro;;;\r\n"
        ";;;;;;;\r\n"
        "c;not an address@;;;;;;\r\n"
        "d;d@example.org;;;;many;perhaps;\r\n"
        ";;Nobody;;;;;\r\n"
        "e;e@example.org;;;;;;;;\r\n"
        'f;"f@example.org" x;;;;;;\r\n'
        "g;g@example.org"
    ).encode()
    done = await _done(api, file, tags=["imported"])
    assert (done.state, done.created, done.updated, done.faults) == (DONE, 2, 1, 5)
    assert (done.size, done.position, done.by, done.file_name) == (len(file), len(file), "ada", "people.csv")
    a, b = await _get(api, "a"), await _get(api, "b")
    assert (a.name, list(a.tags)) == ('Ada; "the first"\nLovelace', ["vip", "beta", "imported"])
    assert a.data == b'{"plan":"pro","seats":12.5,"ok":true}'
    assert (b.email, b.name, list(b.tags)) == ("b@example.org", "Bob", ["old", "new", "imported"])
    assert b.data == b'{"plan":"pro","kept":1}'
    assert await api.ids() == ["b", "a", "g"]
    faults = await _faults(api, done.id)
    assert [(line, column) for line, column, _ in faults] == [
        (6, "email"),
        (7, "data.seats:number"),
        (7, "data.ok:boolean"),
        (8, ""),
        (9, ""),
        (10, ""),
    ]
    assert not any("address@" in description for *_, description in faults)
    assert await api.rows("import_chunks") == 0


async def test_rows_with_one_address_are_one_person(api: Api) -> None:
    """If that is asked for; a row with an id and somebody else's address is a fault."""
    await api.saved(recipient_id="b", email="b@example.org")
    file = b"email,name,recipient_id\nA@example.org,Ada,\na@EXAMPLE.org,Ada L.,\nB@example.org,Bob,\nb@example.org,,c\n"
    done = await _done(api, file, unique_email=True)
    assert (done.created, done.updated, done.faults) == (1, 2, 1)
    assert await _faults(api, done.id) == [(5, "email", "is taken")]
    assert (await _get(api, "b")).name == "Bob"
    [ada] = (await api.call("ListRecipients", address="a@example.org")).recipients
    assert ada.name == "Ada L."
    again = await _done(api, file, unique_email=True)
    assert (again.created, again.updated, await api.rows("recipients")) == (0, 3, 2)


async def test_columns_are_named(api: Api) -> None:
    """What is not named is left out; headers may be in any language."""
    file = b"E-Mail\tNom complet\tsecret\nada@example.org\tAda\tx\n"
    columns = {"E-Mail": "email", "Nom complet": "data.full_name"}
    done = await _done(api, file, columns=columns)
    [ada] = (await api.call("ListRecipients")).recipients
    assert (done.created, ada.email, ada.data) == (1, "ada@example.org", b'{"full_name":"Ada"}')


@pytest.mark.parametrize(
    ("file", "columns", "field"),
    [
        (b"", {}, "file"),
        (b"\n\n", {}, "file"),
        (b"\xff\xfee\x00m\x00", {}, "file"),
        (b"name,tags\nAda,vip\n", {}, "columns"),
        (b"email,email\n", {}, "columns"),
        (b"email,name\n", {"mail": "email"}, "columns[mail]"),
        (b"email,name\n", {"email": "email", "name": "nonsense"}, "columns[name]"),
        (b'"email\n' + b"x" * 100_000, {}, "file"),
    ],
)
async def test_a_header_that_cannot_be_used(api: Api, file: bytes, columns: Mapping[str, str], field: str) -> None:
    """Is refused at once, and nothing is left of the file."""
    import_id = await _upload(api, file, chunk=60_000, columns=columns)
    refused = await api.refused("StartImport", import_id=import_id, size=len(file))
    assert (refused.code, [name for name, _ in refused.fields][:1]) == (Code.INVALID, [field])
    assert (await api.refused("GetImport", import_id=import_id)).code is Code.NOT_FOUND
    assert await api.rows("import_chunks") == 0


async def test_an_upload_that_is_repeated_or_broken(api: Api) -> None:
    """The same bytes again change nothing; a gap, and a file that is not whole, are refused."""
    file = b"email\na@example.org\n"
    import_id = await _upload(api, file, chunk=10)
    for _ in range(2):
        await api.call("AddImportChunk", import_id=import_id, position=10, chunk=file[10:])
    gap = await api.refused("AddImportChunk", import_id=import_id, position=100, chunk=b"x")
    assert (gap.code, gap.fields[0][0]) == (Code.INVALID, "position")
    assert (await api.refused("StartImport", import_id=import_id, size=5)).code is Code.CONFLICT
    for _ in range(2):
        await api.call("StartImport", import_id=import_id, size=len(file))
    late = await api.refused("AddImportChunk", import_id=import_id, position=len(file), chunk=b"x")
    assert late.code is Code.CONFLICT
    other = await api.refused("AddImportChunk", import_id=import_id, position=0, chunk=b"x", tenant_id=OTHER)
    assert other.code is Code.NOT_FOUND


async def test_an_upload_that_does_not_go_on_is_given_up(api: Api) -> None:
    """After its time; its bytes are deleted."""
    import_id = await _upload(api, b"email\n")
    assert not await api.imports.step()
    await api.pool.execute("UPDATE router.imports SET wake_at = now()")
    await _work_off(api)
    assert (await _import(api, import_id)).state == CANCELED
    assert await api.rows("import_chunks") == 0


class _Dying(RecipientWriter):
    """Ends in the middle of a step, after rows were stored in its transaction."""

    async def save_within(self, *arguments: Any) -> Any:
        await super().save_within(*arguments)
        raise OSError("the process ends")


async def test_a_step_that_breaks_off_is_taken_again(api: Api) -> None:
    """Whatever it had stored is taken back with it: each row is stored once, and counted once."""
    file = b"email,name\n" + b"".join(b"u%d@example.org,n\n" % number for number in range(250))
    import_id = await _started(api, file, chunk=2000)
    assert await api.imports.step()
    assert (await _import(api, import_id)).created == 100
    broken = Imports(api.pool)
    broken._writer = _Dying(api.pool)
    with pytest.raises(ClarionError):
        await broken.step()
    assert await api.rows("recipients") == 100
    await _work_off(api)
    done = await _import(api, import_id)
    assert (done.state, done.created, done.updated, await api.rows("recipients")) == (DONE, 250, 0, 250)


async def test_our_own_fault_ends_an_import(api: Api) -> None:
    """After some tries, with pauses that grow; another tenant's import goes on meanwhile."""

    class Faulty(RecipientWriter):
        async def save_within(self, connection: Any, tenant_id: str, wanted: Sequence[Any]) -> Any:
            if tenant_id == TENANT:
                raise ZeroDivisionError
            return await super().save_within(connection, tenant_id, wanted)

    import_id = await _started(api, b"email\na@example.org\n")
    imports = Imports(api.pool)
    imports._writer = Faulty(api.pool)
    for _ in range(8):
        assert await imports.step()
        assert not await imports.step()  # it waits
        await api.pool.execute("UPDATE router.imports SET wake_at = now() WHERE wake_at IS NOT NULL")
    ended = await _import(api, import_id)
    assert (ended.state, bool(ended.detail), await api.rows("recipients")) == (FAILED, True, 0)


async def test_a_quote_without_end(api: Api) -> None:
    """What comes before it is stored; then the import has failed, and says where."""
    file = b"email\na@example.org\n" + b'"' + b"x@example.org\n" * 20_000
    done = await _done(api, file, chunk=100_000)
    assert (done.state, done.created) == (FAILED, 1)
    assert "line 3" in done.detail


async def test_cancelling(api: Api) -> None:
    """What is stored stays; nothing more is."""
    file = b"email\n" + b"".join(b"u%d@example.org\n" % number for number in range(150))
    import_id = await _started(api, file, chunk=2000)
    await api.imports.step()
    canceled = (await api.call("CancelImport", import_id=import_id)).summary
    assert (canceled.state, canceled.created) == (CANCELED, 100)
    await _work_off(api)
    assert (await api.rows("recipients"), await api.rows("import_chunks")) == (100, 0)
    assert (await api.refused("CancelImport", import_id=import_id)).code is Code.CONFLICT


async def test_who_was_erased_meanwhile_is_not_imported(api: Api) -> None:
    """By none of their identifiers, in none of the tenant's files that were uploaded before."""
    await api.put("a", email="a@example.org", phone="+254712345678")
    file = b"recipient_id,email,phone\na,,\nx,A@example.org,\ny,,+254 712 345678\nz,z@example.org,\n"
    import_id = await _started(api, file)
    await api.call("EraseRecipient", user_id="a")
    await _work_off(api)
    done = await _import(api, import_id)
    assert (done.created, done.faults, await api.ids()) == (1, 3, ["z"])
    later = await _done(api, file)
    assert later.created == 3


async def test_imports_take_turns_and_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file does not wait for a large one; a tenant has some imports at a time."""
    large = await _started(api, b"email\n" + b"".join(b"u%d@example.org\n" % n for n in range(500)), chunk=10_000)
    small = await _started(api, b"email\na@example.org\n")
    await api.imports.step()
    await api.imports.step()
    assert ((await _import(api, large)).state, (await _import(api, small)).state) == (RUNNING, DONE)
    monkeypatch.setattr(import_store, "MAX_UNDER_WAY", 1)
    options = imports_pb2.ImportOptions(tenant_id=TENANT)
    assert (await api.refused("CreateImport", options=options)).code is Code.LIMITED
    await _work_off(api)
    assert [one.id for one in (await api.call("ListImports", limit=1)).imports] == [small]
    older = await api.call("ListImports", limit=1, cursor=small)
    assert [one.id for one in older.imports] == [large]


async def test_old_imports_are_deleted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their faults, a month after; none that has not ended."""
    old = await _done(api, b"email\nnonsense\n")
    running = await _started(api, b"email\na@example.org\n")
    await api.pool.execute("UPDATE router.imports SET created_at = now() - interval '31 days'")
    await import_store.ImportStore(api.pool).delete_old()
    assert (await api.refused("GetImport", import_id=old.id)).code is Code.NOT_FOUND
    assert (await _import(api, running)).state == RUNNING
    assert await api.rows("import_faults") == 0


async def test_faults_are_kept_up_to_a_number(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted."""
    monkeypatch.setattr(import_store, "MAX_FAULTS", 150)
    done = await _done(api, b"email\n" + b"nonsense\n" * 350, chunk=10_000)
    assert (done.faults, len(await _faults(api, done.id))) == (350, 150)


async def test_the_faults_of_a_row_are_bounded(api: Api) -> None:
    """A file whose cells are all wrong would else fill the table."""
    columns = [f"data.c{number}:number" for number in range(30)]
    file = ",".join(["recipient_id", *columns]) + "\n" + ",".join(["a", *["x"] * 30]) + "\n"
    done = await _done(api, file.encode())
    assert (done.faults, await api.rows("import_faults")) == (1, 10)


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
async def test_headers_that_cannot_be_stored(api: Api, name: str) -> None:
    """Each fault of a row repeats one."""
    file = f"email,{name}\nada@example.org,\n".encode()
    refused = await api.refused("StartImport", import_id=await _upload(api, file), size=len(file))
    assert (refused.code, [field for field, _ in refused.fields]) == (Code.INVALID, ["file"])


async def test_chunks_of_another_file_are_refused(api: Api) -> None:
    """Two files that are uploaded to one import at once are not mixed; the same chunk may come twice."""
    import_id = await _upload(api, b"")
    for _ in range(2):
        await api.call("AddImportChunk", import_id=import_id, position=0, chunk=b"email\n")
    refused = await api.refused("AddImportChunk", import_id=import_id, position=0, chunk=b"phone\n")
    assert (refused.code, [field for field, _ in refused.fields]) == (Code.INVALID, ["position"])
