"""Long work in PostgreSQL needs a statement timeout of its own: here a database refuses it with a short one."""

from typing import Any

_FUNCTION = """
    CREATE OR REPLACE FUNCTION public.refuse_short_timeouts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('statement_timeout')::interval < interval '30 seconds' THEN
            RAISE query_canceled USING MESSAGE = 'this takes longer';
        END IF;
        RETURN NULL;
    END
    $$
"""
_TRIGGER = """
    CREATE TRIGGER refuse_short_timeouts BEFORE UPDATE OR DELETE ON {}
    EXECUTE FUNCTION public.refuse_short_timeouts()
"""


async def refuse_short_timeouts(pool: Any, *tables: str) -> None:
    """Cancel every UPDATE and DELETE of these tables whose statement timeout is below 30 seconds."""
    await pool.execute(_FUNCTION)
    for table in tables:
        await pool.execute(_TRIGGER.format(table))
