-- Requests that gateways refused.

-- Every key that there is or was.
-- name: keys
SELECT k.digest, k.tenant_id, k.id, k.last4, t.active, k.disabled,
    isfinite(coalesce(k.revoked_at, 'infinity')) AS is_revoked,
    coalesce(k.expires_at <= now(), false) AS is_expired
FROM ingest.api_keys k
JOIN ingest.tenants t ON t.id = k.tenant_id
WHERE k.digest = ANY ($1::bytea[])

-- Names of fields come as JSON, because they are lists of different lengths.
-- name: record
INSERT INTO ingest.refused_requests AS r (
    id, kind, tenant_id, key_id, key_prefix, key_last4, key_state, network, method, route, status, reason, detail,
    fields, trace_id, count, first_at, last_at
)
SELECT
    t.id, t.kind, t.tenant_id, t.key_id, t.key_prefix, t.key_last4, t.key_state, t.network, t.method, t.route,
    t.status, t.reason, t.detail, ARRAY(SELECT jsonb_array_elements_text(t.fields)), t.trace_id, t.count,
    'epoch'::timestamptz + t.first_us * interval '1 microsecond',
    'epoch'::timestamptz + t.last_us * interval '1 microsecond'
FROM unnest(
    $1::uuid[], $2::bytea[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::smallint[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::bigint[], $17::bigint[],
    $18::bigint[]
) AS t (
    id, kind, tenant_id, key_id, key_prefix, key_last4, key_state, network, method, route, status, reason, detail,
    fields, trace_id, count, first_us, last_us
)
-- In one order, so that two gateways' calls do not wait for each other in a circle.
ORDER BY t.kind
ON CONFLICT (kind) DO UPDATE SET
    count = r.count + EXCLUDED.count,
    first_at = least(r.first_at, EXCLUDED.first_at),
    last_at = greatest(r.last_at, EXCLUDED.last_at),
    detail = EXCLUDED.detail,
    fields = EXCLUDED.fields,
    trace_id = EXCLUDED.trace_id

-- name: page
SELECT r.id, r.tenant_id, r.key_id, k.name AS key_name, r.key_prefix, r.key_last4, r.key_state, r.network, r.method,
    r.route, r.status, r.reason, r.detail, r.fields, r.trace_id, r.count, r.first_at, r.last_at
FROM ingest.refused_requests r
LEFT JOIN ingest.api_keys k ON k.tenant_id = r.tenant_id AND k.id = r.key_id
WHERE ($1::uuid[] IS NULL OR r.tenant_id = ANY ($1))
    AND ($2::smallint IS NULL OR r.status = $2)
    AND ($3::uuid IS NULL OR r.key_id = $3)
    AND ($4::text IS NULL OR r.reason = $4)
    AND ($5::bigint IS NULL OR r.last_at >= 'epoch'::timestamptz + $5 * interval '1 microsecond')
    AND ($6::bigint IS NULL OR r.first_at < 'epoch'::timestamptz + $6 * interval '1 microsecond')
    AND ($7::uuid IS NULL OR r.id < $7)
ORDER BY r.id DESC
LIMIT $8

-- Requests by reason, of the newest $6 rows.
-- name: reasons
SELECT counted.reason, sum(counted.count)::bigint AS found
FROM (
    SELECT r.reason, r.count FROM ingest.refused_requests r
    WHERE ($1::uuid[] IS NULL OR r.tenant_id = ANY ($1))
        AND ($2::smallint IS NULL OR r.status = $2)
        AND ($3::uuid IS NULL OR r.key_id = $3)
        AND ($4::bigint IS NULL OR r.last_at >= 'epoch'::timestamptz + $4 * interval '1 microsecond')
        AND ($5::bigint IS NULL OR r.first_at < 'epoch'::timestamptz + $5 * interval '1 microsecond')
    ORDER BY r.id DESC
    LIMIT $6
) AS counted
GROUP BY counted.reason
ORDER BY found DESC, counted.reason

-- name: sweep_old
DELETE FROM ingest.refused_requests r
WHERE r.id = ANY (ARRAY(
    SELECT s.id FROM ingest.refused_requests s WHERE s.last_at < now() - $1 * interval '1 day' LIMIT 5000
))

-- The oldest rows of tenants, and of none, that have more than $1.
-- name: sweep_many
DELETE FROM ingest.refused_requests r
WHERE r.id = ANY (ARRAY(
    SELECT o.id FROM (
        SELECT s.tenant_id FROM ingest.refused_requests s GROUP BY s.tenant_id HAVING count(*) > $1
    ) AS m
    CROSS JOIN LATERAL (
        SELECT i.id FROM ingest.refused_requests i
        WHERE i.tenant_id IS NOT DISTINCT FROM m.tenant_id
        ORDER BY i.id DESC OFFSET $1
    ) AS o
    LIMIT 5000
))
