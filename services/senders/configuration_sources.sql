-- What the configuration bucket holds of senders' tables: the keys, a page at a time; then values.

-- name: tenant_ids
SELECT DISTINCT tenant_id FROM senders.providers
WHERE deleted_at IS NULL AND tenant_id > $1
ORDER BY tenant_id
LIMIT $2

-- name: providers
SELECT id, tenant_id, channel, kind, name, priority, settings, secrets, created_at, updated_at
FROM senders.providers
WHERE tenant_id = ANY ($1::text[]) AND deleted_at IS NULL
ORDER BY tenant_id, priority, id

-- name: endpoint_states
SELECT tenant_id::text AS tenant_id, endpoint_id::text AS endpoint_id
FROM senders.endpoint_states
WHERE (state <> 1 OR is_full) AND tenant_id::text || '.' || endpoint_id::text > $1
ORDER BY tenant_id::text || '.' || endpoint_id::text
LIMIT $2

-- name: endpoint_state_values
SELECT s.tenant_id, s.endpoint_id, s.state, s.since_us, s.is_full
FROM senders.endpoint_states s
JOIN unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, endpoint_id)
    ON s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id
