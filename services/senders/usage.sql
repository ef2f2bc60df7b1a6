-- How much a tenant has stored here. $2: its id as text.

-- name: usage
SELECT
    (SELECT count(*) FROM senders.providers p WHERE p.tenant_id = $2 AND p.deleted_at IS NULL) AS providers,
    coalesce(sum(s.parked), 0)::bigint AS parked,
    count(*) FILTER (WHERE s.parked > 0) AS endpoints,
    coalesce(max(s.parked), 0) AS fullest_parked,
    (array_agg(s.endpoint_id ORDER BY s.parked DESC))[1] AS fullest
FROM senders.endpoint_states s
WHERE s.tenant_id = $1
