-- The kinds of rates, as clarion.common.v1.LimitKind numbers them. Simple enough for the planner to put in place of the
-- call.
CREATE OR REPLACE FUNCTION ingest.sliding() RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1::smallint;
CREATE OR REPLACE FUNCTION ingest.fixed() RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 2::smallint;
