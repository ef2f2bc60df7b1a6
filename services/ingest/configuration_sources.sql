-- Ingest's part of the configuration bucket: queries for a page of keys, and for the values of given keys.

-- name: tenant_ids
SELECT id FROM ingest.tenants WHERE id > $1 ORDER BY id LIMIT $2

-- name: tenants
SELECT
    t.id, t.account_id, t.name, t.active, t.delivery_channels, t.sender_name, t.sender_email, t.reply_to,
    t.max_unfinished_events, t.max_unfinished_bytes, t.max_sms_segments, t.rate_limit_per_minute, t.daily_cap,
    t.rates, t.key_rates, t.max_scheduled_events, t.max_payload_bytes, t.max_parked_per_endpoint, t.content_key,
    t.created_at,
    NULL::text AS last4
FROM ingest.tenants t
WHERE t.id = ANY ($1::uuid[])

-- name: webhook_secrets
SELECT s.id, s.tenant_id, s.ciphertext, s.last4, s.created_at, s.expires_at
FROM ingest.webhook_secrets s
WHERE s.tenant_id = ANY ($1::uuid[])
ORDER BY s.tenant_id, s.created_at DESC, s.id DESC

-- Valid keys have no revoked_at, or one that is infinite: see migrations 0012 and 0017.
-- name: key_digests
SELECT digest FROM ingest.api_keys
WHERE digest > $1 AND NOT isfinite(coalesce(revoked_at, 'infinity'))
ORDER BY digest
LIMIT $2

-- name: api_keys
SELECT digest, tenant_id, id, kind, scopes, expires_at, disabled, endpoint_ids
FROM ingest.api_keys
WHERE digest = ANY ($1::bytea[]) AND NOT isfinite(coalesce(revoked_at, 'infinity'))

-- name: retention_ids
SELECT tenant_id FROM ingest.retention WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2

-- name: retention
SELECT tenant_id, events_days, payload_days, inbox_days, outbox_days, discard_content
FROM ingest.retention
WHERE tenant_id = ANY ($1::uuid[])

-- name: erasure_ids
SELECT tenant_id, recipient FROM ingest.recipient_erasures
WHERE (tenant_id, recipient) > ($1, $2)
ORDER BY tenant_id, recipient
LIMIT $3

-- name: erasures
SELECT e.id, e.tenant_id, e.recipient, e.erased_at
FROM ingest.recipient_erasures e
JOIN unnest($1::uuid[], $2::text[]) AS item (tenant_id, recipient)
    ON e.tenant_id = item.tenant_id AND e.recipient = item.recipient
