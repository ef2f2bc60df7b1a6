-- Serialises the changes of a tenant's suppressions, because each publishes whole shards.
-- name: lock_tenant
SELECT pg_advisory_xact_lock(hashtextextended('router.suppressions/' || $1, 0))

-- What an operator has lifted stays lifted against older findings. Returns the shards that changed.
-- name: suppress
WITH written AS (
    INSERT INTO router.suppressed AS s (
        id, tenant_id, channel, digest, reason, source, detail, masked, found_at
    )
    SELECT item.id, item.tenant_id, item.channel, item.digest, item.reason, item.source, item.detail, item.masked,
        'epoch'::timestamptz + item.found_us * interval '1 microsecond'
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::smallint[], $4::bytea[], $5::smallint[], $6::text[], $7::text[], $8::text[],
        $9::bigint[]
    ) AS item (id, tenant_id, channel, digest, reason, source, detail, masked, found_us)
    ON CONFLICT (tenant_id, channel, digest, reason) DO UPDATE SET
        id = EXCLUDED.id, source = EXCLUDED.source, detail = EXCLUDED.detail, found_at = EXCLUDED.found_at,
        created_at = now(), lifted_at = NULL
    WHERE s.lifted_at < EXCLUDED.found_at
    RETURNING s.tenant_id, get_byte(s.digest, 0) AS shard
)
SELECT DISTINCT w.tenant_id, w.shard FROM written w

-- name: find
SELECT s.id, s.tenant_id, s.channel, s.digest, s.masked, s.reason, s.source, s.detail, s.created_at
FROM router.suppressed s
JOIN unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::smallint[]) AS item (tenant_id, channel, digest, reason)
    ON s.tenant_id = item.tenant_id AND s.channel = item.channel AND s.digest = item.digest AND s.reason = item.reason
WHERE s.lifted_at IS NULL

-- name: shards
SELECT get_byte(s.digest, 0) AS shard, s.digest, bit_or(1 << (s.reason - 1)) AS flags
FROM router.suppressed s
WHERE s.tenant_id = $1 AND get_byte(s.digest, 0) = ANY($2::int[]) AND s.lifted_at IS NULL
GROUP BY s.digest
ORDER BY s.digest

-- name: page
SELECT s.id, s.tenant_id, s.channel, s.digest, s.masked, s.reason, s.source, s.detail, s.created_at
FROM router.suppressed s
WHERE s.lifted_at IS NULL
    AND ($1::uuid IS NULL OR s.tenant_id = $1)
    AND ($2::smallint = 0 OR s.channel = $2)
    AND ($3::smallint = 0 OR s.reason = $3)
    AND ($4::bytea[] IS NULL OR s.digest = ANY($4))
    AND ($5::uuid IS NULL OR s.id < $5)
    AND ($7::uuid[] IS NULL OR s.tenant_id = ANY ($7))
ORDER BY s.id DESC
LIMIT $6

-- name: get
SELECT s.id, s.tenant_id, s.channel, s.digest, s.masked, s.reason, s.source, s.detail, s.created_at
FROM router.suppressed s
WHERE s.id = $1 AND s.lifted_at IS NULL

-- name: tenant_of
SELECT tenant_id FROM router.suppressed WHERE id = $1 AND lifted_at IS NULL

-- name: lift
UPDATE router.suppressed SET lifted_at = now()
WHERE id = $1 AND lifted_at IS NULL
RETURNING id, tenant_id, channel, digest, masked, reason, source, detail, created_at

-- Suppressions that an earlier version stored without a key.
-- name: unkeyed
SELECT o.id, o.tenant_id, o.channel, o.digest, o.reason, o.source, o.detail, o.masked, o.found_at, o.created_at,
    o.lifted_at
FROM router.suppressions o
WHERE o.id > $1
ORDER BY o.id
LIMIT $2

-- name: copy_unkeyed
INSERT INTO router.suppressed AS s (
    id, tenant_id, channel, digest, reason, source, detail, masked, found_at, created_at, lifted_at
)
SELECT item.id, item.tenant_id, item.channel, item.digest, item.reason, item.source, item.detail, item.masked,
    item.found_at, item.created_at, item.lifted_at
FROM unnest(
    $1::uuid[], $2::uuid[], $3::smallint[], $4::bytea[], $5::smallint[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[]
) AS item (id, tenant_id, channel, digest, reason, source, detail, masked, found_at, created_at, lifted_at)
-- A lifted suppression that a process of the earlier version has made again since.
ON CONFLICT (tenant_id, channel, digest, reason) DO UPDATE SET
    id = EXCLUDED.id, source = EXCLUDED.source, detail = EXCLUDED.detail, found_at = EXCLUDED.found_at,
    created_at = EXCLUDED.created_at, lifted_at = NULL
WHERE s.lifted_at < EXCLUDED.found_at AND EXCLUDED.lifted_at IS NULL

-- name: remove_unkeyed
TRUNCATE router.suppressions
