"""Schemas are made of migrations, applied once, and of functions, applied again whenever their text changes."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from cli import migrate as command
from cli.checks import database
from runtime.migrations import MigrationError, migrate
from tests.waiting import eventually

_TABLE = "CREATE TABLE shop.numbers (n integer PRIMARY KEY);"
_ONE = "CREATE OR REPLACE FUNCTION shop.one() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
_TWO = "CREATE OR REPLACE FUNCTION shop.two() RETURNS integer LANGUAGE sql AS 'SELECT 2';"

# All that a schema holds, as text: columns, indexes, constraints and functions.
_CONTENTS = """
SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = $1
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = $1
UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = $1::text::regnamespace
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = $1::text::regnamespace
ORDER BY 1
"""


class Shop:
    """A service with one table and two functions in an empty database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.write("migrations/0001_pre_shop.sql", _TABLE)
        self.write("functions/one.sql", _ONE)
        self.write("functions/two.sql", _TWO)

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    async def migrate(self) -> list[str]:
        """Return the files that were applied."""
        return await migrate(self.url, "shop", self.folder)

    async def value(self, expression: str) -> int:
        """Return what an SQL expression yields."""
        connection = await asyncpg.connect(self.url)
        try:
            return int(await connection.fetchval(f"SELECT {expression}"))
        finally:
            await connection.close()


@pytest.fixture
def shop(empty_postgres_url: str, tmp_path: Path) -> Shop:
    """A service that was never migrated."""
    return Shop(empty_postgres_url, tmp_path)


async def test_functions_follow_the_migrations_and_stay_where_nothing_changed(shop: Shop) -> None:
    """The second time there is nothing to do."""
    assert await shop.migrate() == ["0001_pre_shop.sql", "functions/one.sql", "functions/two.sql"]
    assert await shop.migrate() == []


async def test_a_changed_file_of_functions_is_applied_again(shop: Shop) -> None:
    """The others are left alone."""
    await shop.migrate()
    shop.write("functions/two.sql", _TWO.replace("SELECT 2", "SELECT 22"))
    assert await shop.migrate() == ["functions/two.sql"]
    assert await shop.value("shop.one() + shop.two()") == 23


async def test_a_changed_migration_is_refused(shop: Shop) -> None:
    """Its text was applied already: only another migration can change the table."""
    await shop.migrate()
    shop.write("migrations/0001_pre_shop.sql", _TABLE + "\n")
    with pytest.raises(MigrationError, match=r"shop/0001_pre_shop\.sql was changed"):
        await shop.migrate()


async def test_a_broken_file_changes_no_function(shop: Shop) -> None:
    """Neither those before it; the error names the file, and once it is corrected all are applied."""
    await shop.migrate()
    shop.write("functions/one.sql", _ONE.replace("SELECT 1", "SELECT 11"))
    shop.write("functions/two.sql", _TWO.replace("SELECT 2", "SELEKT 2"))
    with pytest.raises(MigrationError, match=r"shop/functions/two\.sql cannot be applied: syntax error"):
        await shop.migrate()
    assert await shop.value("shop.one() + shop.two()") == 3
    shop.write("functions/two.sql", _TWO.replace("SELECT 2", "SELECT 22"))
    assert await shop.migrate() == ["functions/one.sql", "functions/two.sql"]
    assert await shop.value("shop.one() + shop.two()") == 33


async def test_an_older_version_leaves_a_newer_schema_s_functions_alone(shop: Shop) -> None:
    """Its own text would put the functions back for the newer code that runs."""
    await shop.migrate()
    shop.write("migrations/0002_pre_more.sql", "ALTER TABLE shop.numbers ADD COLUMN m integer;")
    shop.write("functions/one.sql", _ONE.replace("SELECT 1", "SELECT 11"))
    await shop.migrate()
    (shop.folder / "migrations/0002_pre_more.sql").unlink()
    shop.write("functions/one.sql", _ONE)
    assert await shop.migrate() == []
    assert await shop.value("shop.one()") == 11


async def test_an_older_version_without_new_migrations_leaves_them_alone_too(shop: Shop) -> None:
    """The number in version.txt tells which one is newer."""
    shop.write("functions/version.txt", "1 digest")
    await shop.migrate()
    shop.write("functions/version.txt", "2 digest")
    shop.write("functions/one.sql", _ONE.replace("SELECT 1", "SELECT 11"))
    assert await shop.migrate() == ["functions/one.sql"]
    shop.write("functions/version.txt", "1 digest")
    shop.write("functions/one.sql", _ONE)
    assert await shop.migrate() == []
    assert await shop.value("shop.one()") == 11


async def test_two_at_once_apply_each_file_once(shop: Shop) -> None:
    """The second one waits for the first, and then has nothing to do."""
    both = await asyncio.gather(shop.migrate(), shop.migrate())
    assert sorted(map(len, both)) == [0, 3]


async def test_a_migration_that_waits_for_a_table_lets_others_use_it(shop: Shop) -> None:
    """A long transaction holds the table: readers who come after the migration do not wait for its end."""
    await shop.migrate()
    shop.write("migrations/0002_pre_more.sql", "ALTER TABLE shop.numbers ADD COLUMN m integer;")
    holder = await asyncpg.connect(shop.url)
    async with holder.transaction():
        await holder.execute("SELECT n FROM shop.numbers")
        migrating = asyncio.create_task(shop.migrate())
        waiting = "(SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'shop.numbers'::regclass)"
        await eventually(lambda: shop.value(waiting))
        assert await asyncio.wait_for(shop.value("(SELECT count(*) FROM shop.numbers)"), 30) == 0
    await holder.close()
    assert await migrating == ["0002_pre_more.sql"]
    assert await shop.value("(SELECT count(m) FROM shop.numbers)") == 0


@pytest.mark.parametrize("service", command.folders(), ids=lambda folder: str(folder.name))
async def test_an_upgraded_schema_equals_a_new_one(
    service: Path, empty_postgres_url: str, postgres_url: str, tmp_path: Path
) -> None:
    """Here an earlier version had only the first migrations, and then all of them but no file of functions."""
    earlier = tmp_path / service.name
    shutil.copytree(service, earlier)
    shutil.rmtree(earlier / "functions", ignore_errors=True)
    later = sorted((earlier / "migrations").glob("*.sql"))[1:]
    for path in later:
        path.unlink()
    await migrate(empty_postgres_url, service.name, earlier)
    shutil.copytree(service / "migrations", earlier / "migrations", dirs_exist_ok=True)
    await migrate(empty_postgres_url, service.name, earlier)
    await migrate(empty_postgres_url, service.name, service)
    assert await _contents(empty_postgres_url, service.name) == await _contents(postgres_url, service.name)


async def test_the_doctor_finds_other_functions_than_this_version_s(postgres_url: str) -> None:
    """A database that was not migrated after an upgrade calls the old ones."""
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("UPDATE ingest.functions SET digest = 'other' WHERE name = 'admit.sql'")
    finally:
        await connection.close()
    found = [finding.text async for finding in database.check(postgres_url)]
    assert "schema ingest: admit.sql in functions/ is not this version's" in found, found


async def _contents(url: str, schema: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(_CONTENTS, schema)]
    finally:
        await connection.close()


_BUILD = "-- concurrently\nCREATE INDEX CONCURRENTLY IF NOT EXISTS halves ON shop.numbers ((n / 2));\n"


async def test_an_index_is_built_while_the_table_is_written(shop: Shop) -> None:
    """Writers do not wait, though the build waits for an older transaction; nor does a second `migrate` hold it up."""
    await shop.migrate()
    shop.write("migrations/0002_pre_index.sql", _BUILD)
    older, writer = await asyncpg.connect(shop.url), await asyncpg.connect(shop.url)
    try:
        transaction = older.transaction()
        await transaction.start()
        await older.execute("INSERT INTO shop.numbers VALUES (1)")
        building = [asyncio.create_task(shop.migrate()) for _ in range(2)]
        await eventually(lambda: shop.value("count(*) FROM pg_class WHERE relname = 'halves'"))
        await writer.execute("SET lock_timeout = '1s'; INSERT INTO shop.numbers VALUES (2)")
        await transaction.commit()
        assert sorted(await asyncio.gather(*building)) == [[], ["0002_pre_index.sql"]]
    finally:
        await older.close()
        await writer.close()
    assert await shop.value("count(*) FROM pg_index WHERE indexrelid = 'shop.halves'::regclass AND indisvalid") == 1


async def test_a_build_that_was_interrupted_is_begun_again(shop: Shop) -> None:
    """It leaves an index that is not used, and that is not taken for built."""
    await shop.migrate()
    connection = await asyncpg.connect(shop.url)
    try:
        await connection.execute("INSERT INTO shop.numbers VALUES (2), (3)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY halves ON shop.numbers ((n / 2))")
    finally:
        await connection.close()
    shop.write("migrations/0002_pre_index.sql", _BUILD)
    assert await shop.migrate() == ["0002_pre_index.sql"]
    assert await shop.value("count(*) FROM pg_index WHERE indexrelid = 'shop.halves'::regclass AND indisvalid") == 1
