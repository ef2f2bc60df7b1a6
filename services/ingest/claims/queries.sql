-- name: states
SELECT id, status, replay FROM ingest.deliveries WHERE id = ANY ($1::uuid[])

-- The first copy has the claim. Sorted, so that processes do not deadlock.
-- name: claim
INSERT INTO ingest.claims (delivery_id, replay, token)
SELECT t.delivery_id, t.replay, t.token
FROM unnest($1::uuid[], $2::smallint[], $3::text[]) WITH ORDINALITY AS t (delivery_id, replay, token, ordinal)
ORDER BY t.delivery_id, t.replay, t.ordinal
ON CONFLICT (delivery_id, replay) DO NOTHING

-- A statement of its own: the one before does not see what another process has committed meanwhile.
-- name: holders
SELECT c.delivery_id, c.replay, c.token
FROM unnest($1::uuid[], $2::smallint[]) AS t (delivery_id, replay)
JOIN ingest.claims c ON c.delivery_id = t.delivery_id AND c.replay = t.replay

-- name: sweep
DELETE FROM ingest.claims c
WHERE (c.delivery_id, c.replay) IN (
    SELECT s.delivery_id, s.replay FROM ingest.claims s
    WHERE s.claimed_at < now() - $1 * interval '1 day'
    ORDER BY s.claimed_at
    LIMIT 5000
)

-- name: forget_all
TRUNCATE ingest.claims
