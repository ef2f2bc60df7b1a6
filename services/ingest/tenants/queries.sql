-- name: insert_account
INSERT INTO ingest.accounts (id, name) VALUES ($1, $2)

-- Until the end of the transaction, so that tenants which are created at the same time are counted.
-- name: lock_account
SELECT id FROM ingest.accounts WHERE id = $1 FOR NO KEY UPDATE

-- name: count_tenants
SELECT count(*) FROM ingest.tenants WHERE account_id = $1

-- name: insert_tenant
INSERT INTO ingest.tenants
    (id, account_id, name, delivery_channels, sender_name, sender_email, reply_to, max_unfinished_events,
    rate_limit_per_minute, daily_cap, rates, content_key, max_unfinished_bytes, max_sms_segments, max_scheduled_events,
    max_payload_bytes, max_parked_per_endpoint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)

-- name: insert_backlog
INSERT INTO ingest.backlog (tenant_id) VALUES ($1)

-- name: insert_key
INSERT INTO ingest.api_keys (digest, tenant_id, last4) VALUES ($1, $2, $3)

-- name: revoke_keys
UPDATE ingest.api_keys SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL RETURNING digest

-- name: tenant
SELECT
    t.id, t.account_id, t.name, t.active, t.delivery_channels, t.sender_name, t.sender_email, t.reply_to,
    t.max_unfinished_events, t.max_unfinished_bytes, t.max_sms_segments, t.rate_limit_per_minute, t.daily_cap,
    t.rates, t.key_rates, t.max_scheduled_events, t.max_payload_bytes, t.max_parked_per_endpoint, t.content_key,
    t.created_at,
    (SELECT k.last4 FROM ingest.api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL LIMIT 1) AS last4
FROM ingest.tenants t
WHERE t.id = $1

-- name: tenant_for_update
SELECT id FROM ingest.tenants WHERE id = $1 FOR UPDATE

-- name: tenants
SELECT
    t.id, t.account_id, t.name, t.active, t.delivery_channels, t.sender_name, t.sender_email, t.reply_to,
    t.max_unfinished_events, t.max_unfinished_bytes, t.max_sms_segments, t.rate_limit_per_minute, t.daily_cap,
    t.rates, t.key_rates, t.max_scheduled_events, t.max_payload_bytes, t.max_parked_per_endpoint, t.content_key,
    t.created_at,
    (SELECT k.last4 FROM ingest.api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL LIMIT 1) AS last4
FROM ingest.tenants t
WHERE ($1::uuid IS NULL OR t.id < $1)
    AND ($3::uuid[] IS NULL OR t.id = ANY ($3))
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
    max_unfinished_events = coalesce($8, max_unfinished_events),
    -- Two arguments for each limit: whether to set it, and the value; null: no limit.
    rate_limit_per_minute = CASE WHEN $9 THEN $10 ELSE rate_limit_per_minute END,
    daily_cap = CASE WHEN $11 THEN $12 ELSE daily_cap END,
    content_key = coalesce($13, content_key),
    max_unfinished_bytes = coalesce($14, max_unfinished_bytes),
    max_sms_segments = coalesce($15, max_sms_segments),
    rates = coalesce($16, rates),
    max_scheduled_events = coalesce($17, max_scheduled_events),
    max_payload_bytes = coalesce($18, max_payload_bytes),
    max_parked_per_endpoint = coalesce($19, max_parked_per_endpoint)
WHERE id = $1

-- The row that admission locks, so that it does not write a window which is deleted.
-- name: lock_backlog
SELECT tenant_id FROM ingest.backlog WHERE tenant_id = $1 FOR UPDATE

-- What rates have granted that the tenant no longer has.
-- name: delete_rate_windows
DELETE FROM ingest.rate_windows w
WHERE w.tenant_id = $1 AND NOT EXISTS (
    SELECT 1 FROM ingest.rates_of(ARRAY[$1::uuid], now()) AS r
    WHERE r.scope = w.scope AND r.window_s = w.window_s AND r.kind = w.kind
)

-- Collects the rates of the tenant's keys in the tenant's row.
-- name: collect_key_rates
UPDATE ingest.tenants t SET key_rates = coalesce(
    (
        SELECT jsonb_agg(r.rate ORDER BY k.id, r.place)
        FROM ingest.api_keys k
        CROSS JOIN LATERAL jsonb_array_elements(k.rates) WITH ORDINALITY AS r (rate, place)
        WHERE k.tenant_id = t.id AND k.id IS NOT NULL AND NOT isfinite(k.revoked_at)
    ),
    '[]'
)
WHERE t.id = $1

-- name: insert_webhook_secret
INSERT INTO ingest.webhook_secrets (id, tenant_id, ciphertext, last4) VALUES ($1, $2, $3, $4)

-- name: expire_webhook_secrets
UPDATE ingest.webhook_secrets SET expires_at = now() + $2 * interval '1 second'
WHERE tenant_id = $1 AND expires_at IS NULL

-- name: delete_expired_webhook_secrets
DELETE FROM ingest.webhook_secrets WHERE tenant_id = $1 AND expires_at <= now()

-- name: delete_webhook_secrets
DELETE FROM ingest.webhook_secrets WHERE tenant_id = $1

-- name: tenants_with_webhook_secrets
SELECT DISTINCT tenant_id FROM ingest.webhook_secrets
WHERE tenant_id > $1 AND (expires_at IS NULL OR expires_at > now())
ORDER BY tenant_id
LIMIT 100

-- name: renew_webhook_secret
UPDATE ingest.webhook_secrets SET ciphertext = $2 WHERE id = $1

-- Valid secrets, the current one first.
-- name: webhook_secrets
SELECT s.id, s.tenant_id, s.ciphertext, s.last4, s.created_at, s.expires_at
FROM ingest.webhook_secrets s
WHERE s.tenant_id = ANY ($1::uuid[]) AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY s.tenant_id, s.created_at DESC, s.id DESC

-- Expired secrets too, until the next change of the tenant's secrets deletes them.
-- name: all_webhook_secrets
SELECT s.id, s.tenant_id, s.ciphertext, s.last4, s.created_at, s.expires_at
FROM ingest.webhook_secrets s
WHERE s.tenant_id = ANY ($1::uuid[])
ORDER BY s.tenant_id, s.created_at DESC, s.id DESC
