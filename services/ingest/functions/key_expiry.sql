-- Returns when a key is free again. Simple enough for the planner to put in place of the call.
CREATE OR REPLACE FUNCTION ingest.key_expiry(created_at timestamptz, expires_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(expires_at, created_at + interval '24 hours');
