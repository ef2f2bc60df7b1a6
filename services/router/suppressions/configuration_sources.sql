-- The suppressed addresses of the configuration bucket: queries for a page of keys, and for the values of given keys.

-- name: shard_ids
SELECT DISTINCT s.tenant_id, get_byte(s.digest, 0) AS shard
FROM router.suppressed s
WHERE s.lifted_at IS NULL AND (s.tenant_id, get_byte(s.digest, 0)) > ($1, $2)
ORDER BY s.tenant_id, shard
LIMIT $3

-- The published values; see services/domain/suppression_list.py.
-- name: shards
SELECT f.tenant_id, f.shard,
    string_agg(
        substring(f.digest FROM 2 FOR 8) || set_byte('\x00'::bytea, 0, f.flags), ''::bytea ORDER BY f.digest
    ) AS packed
FROM (
    SELECT s.tenant_id, item.shard, s.digest, bit_or(1 << (s.reason - 1)) AS flags
    FROM unnest($1::uuid[], $2::int[]) AS item (tenant_id, shard)
    JOIN router.suppressed s ON s.tenant_id = item.tenant_id AND get_byte(s.digest, 0) = item.shard
    WHERE s.lifted_at IS NULL
    GROUP BY s.tenant_id, item.shard, s.digest
) AS f
GROUP BY f.tenant_id, f.shard
