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
