-- name: insert_account
INSERT INTO ingest.accounts (id, name) VALUES ($1, $2)

-- name: account_exists
SELECT EXISTS (SELECT 1 FROM ingest.accounts WHERE id = $1)

-- name: insert_tenant
INSERT INTO ingest.tenants
    (id, account_id, name, delivery_channels, sender_name, sender_email, reply_to, max_unfinished_events)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: insert_backlog
INSERT INTO ingest.backlog (tenant_id) VALUES ($1)

-- name: insert_key
INSERT INTO ingest.api_keys (digest, tenant_id, last4) VALUES ($1, $2, $3)

-- name: revoke_keys
UPDATE ingest.api_keys SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL RETURNING digest

-- name: tenant
SELECT
    t.id, t.account_id, t.name, t.active, t.delivery_channels, t.sender_name, t.sender_email, t.reply_to,
    t.max_unfinished_events, t.created_at,
    (SELECT k.last4 FROM ingest.api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL LIMIT 1) AS last4
FROM ingest.tenants t
WHERE t.id = $1

-- name: tenant_for_update
SELECT id FROM ingest.tenants WHERE id = $1 FOR UPDATE

-- name: tenants
SELECT
    t.id, t.account_id, t.name, t.active, t.delivery_channels, t.sender_name, t.sender_email, t.reply_to,
    t.max_unfinished_events, t.created_at,
    (SELECT k.last4 FROM ingest.api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL LIMIT 1) AS last4
FROM ingest.tenants t
WHERE ($1::uuid IS NULL OR t.id < $1)
ORDER BY t.id DESC
LIMIT $2

-- name: update_tenant
UPDATE ingest.tenants SET
    name = coalesce($2, name),
    active = coalesce($3, active),
    delivery_channels = coalesce($4::smallint[], delivery_channels),
    sender_name = coalesce($5, sender_name),
    sender_email = coalesce($6, sender_email),
    reply_to = coalesce($7, reply_to),
    max_unfinished_events = coalesce($8, max_unfinished_events)
WHERE id = $1

-- name: tenant_of_key
SELECT tenant_id FROM ingest.api_keys WHERE digest = $1 AND revoked_at IS NULL
