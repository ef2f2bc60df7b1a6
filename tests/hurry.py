"""A database that takes its time: what must be done patiently fails here when it is done in a hurry."""

from typing import Any

_FUNCTION = """
    CREATE OR REPLACE FUNCTION public.refuse_hurry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('statement_timeout')::interval < interval '30 seconds' THEN
            RAISE query_canceled USING MESSAGE = 'this takes longer';
        END IF;
        RETURN NULL;
    END
    $$
"""
_TRIGGER = "CREATE TRIGGER refuse_hurry BEFORE UPDATE OR DELETE ON {} EXECUTE FUNCTION public.refuse_hurry()"


async def refuse_hurry(pool: Any, *tables: str) -> None:
    """Cancel every UPDATE and DELETE of these tables that is given less than 30 seconds."""
    await pool.execute(_FUNCTION)
    for table in tables:
        await pool.execute(_TRIGGER.format(table))
