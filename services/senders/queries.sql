-- name: lock_tenant
SELECT pg_advisory_xact_lock(hashtextextended('senders.providers/' || $1, 0))

-- name: count_providers
SELECT count(*) FROM senders.providers WHERE tenant_id = $1 AND deleted_at IS NULL

-- name: insert_provider
INSERT INTO senders.providers (id, tenant_id, channel, kind, name, priority, settings, secrets)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING created_at

-- name: list_providers
SELECT id, tenant_id, channel, kind, name, priority, settings, secrets, created_at, updated_at
FROM senders.providers
WHERE tenant_id = $1 AND deleted_at IS NULL
ORDER BY priority, id
LIMIT 100

-- name: find_providers
SELECT id, tenant_id, channel, kind, name, priority, settings, secrets, created_at, updated_at
FROM senders.providers
WHERE id = ANY($1::text[]) AND deleted_at IS NULL

-- name: update_provider
UPDATE senders.providers SET name = $2, priority = $3, settings = $4, secrets = $5, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, tenant_id, channel, kind, name, priority, settings, secrets, created_at, updated_at

-- name: set_priorities
UPDATE senders.providers p SET priority = t.priority, updated_at = now()
FROM unnest($1::text[], $2::integer[]) AS t (id, priority)
WHERE p.id = t.id AND p.deleted_at IS NULL AND p.priority <> t.priority

-- name: tenants_with_providers
SELECT DISTINCT tenant_id FROM senders.providers
WHERE deleted_at IS NULL AND tenant_id > $1
ORDER BY tenant_id
LIMIT 100

-- name: renew_secrets
UPDATE senders.providers SET secrets = $2 WHERE id = $1 AND deleted_at IS NULL

-- name: tenant_of_provider
SELECT tenant_id FROM senders.providers WHERE id = $1 AND deleted_at IS NULL

-- name: delete_provider
UPDATE senders.providers SET deleted_at = now(), secrets = '' WHERE id = $1 AND deleted_at IS NULL
RETURNING id

-- name: insert_sms
INSERT INTO senders.outbox (
    channel, via, call_id, tenant_id, event_id, delivery_id, trace_id, recipient, sender, body_text
)
SELECT 2, 'sandbox', item.call_id, item.tenant_id, item.event_id, item.delivery_id, item.trace_id, item.recipient,
    item.sender, item.body_text
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS item (call_id, tenant_id, event_id, delivery_id, trace_id, recipient, sender, body_text)
ON CONFLICT (call_id) WHERE call_id IS NOT NULL DO NOTHING

-- name: insert_email
INSERT INTO senders.outbox (
    channel, call_id, via, tenant_id, event_id, delivery_id, trace_id, recipient, sender, reply_to, subject, body_text,
    body_html
)
SELECT 1, item.call_id, item.via, item.tenant_id, item.event_id, item.delivery_id, item.trace_id, item.recipient,
    item.sender, item.reply_to, item.subject, item.body_text, item.body_html
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[]
) AS item (
    call_id, via, tenant_id, event_id, delivery_id, trace_id, recipient, sender, reply_to, subject, body_text, body_html
)
ON CONFLICT (call_id) WHERE call_id IS NOT NULL DO NOTHING

-- name: list_outbox
SELECT id, recorded_at, delivery_id, event_id, channel, via, tenant_id, trace_id, recipient, sender, reply_to, subject,
    left(body_text, 2000) AS body_text
FROM senders.outbox
WHERE id < $1 AND ($2::smallint = 0 OR channel = $2)
ORDER BY id DESC
LIMIT $3

-- name: list_outbox_of_tenant
SELECT id, recorded_at, delivery_id, event_id, channel, via, tenant_id, trace_id, recipient, sender, reply_to, subject,
    left(body_text, 2000) AS body_text
FROM senders.outbox
WHERE id < $1 AND ($2::smallint = 0 OR channel = $2) AND tenant_id = $4
ORDER BY id DESC
LIMIT $3

-- name: list_outbox_of_event
SELECT id, recorded_at, delivery_id, event_id, channel, via, tenant_id, trace_id, recipient, sender, reply_to, subject,
    left(body_text, 2000) AS body_text
FROM senders.outbox
WHERE id < $1 AND ($2::smallint = 0 OR channel = $2) AND event_id = $4 AND ($5 = '' OR tenant_id = $5)
ORDER BY id DESC
LIMIT $3

-- name: get_outbox
SELECT id, recorded_at, delivery_id, event_id, channel, via, tenant_id, trace_id, recipient, sender, reply_to, subject,
    body_text, body_html
FROM senders.outbox
WHERE id = $1

-- A repeated call that the provider answered with the same id is the same message.
-- name: insert_sent
INSERT INTO senders.sent (
    provider_id, message_id, tenant_id, event_id, delivery_id, channel, attempt, replay, recipient
)
SELECT item.provider_id, item.message_id, item.tenant_id, item.event_id, item.delivery_id, item.channel, item.attempt,
    item.replay, item.recipient
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::smallint[], $7::smallint[], $8::smallint[],
    $9::text[]
) AS item (
    provider_id, message_id, tenant_id, event_id, delivery_id, channel, attempt, replay, recipient
)
ON CONFLICT (provider_id, message_id) DO NOTHING

-- name: find_sent
SELECT s.provider_id, s.message_id, s.tenant_id, s.event_id, s.delivery_id, s.channel, s.attempt, s.replay, s.recipient,
    s.sent_at
FROM senders.sent s
JOIN unnest($1::text[], $2::text[]) AS item (provider_id, message_id)
    ON s.provider_id = item.provider_id AND s.message_id = item.message_id

-- name: purge_sent
DELETE FROM senders.sent
WHERE (provider_id, message_id) IN (
    SELECT oldest.provider_id, oldest.message_id FROM senders.sent AS oldest
    WHERE oldest.sent_at < now() - make_interval(days => $1)
    ORDER BY oldest.sent_at
    LIMIT $2
)

-- Providers by their ids, and deliveries by the id that a provider gave their message. $1: what was typed. $2, $3: the
-- ids that begin so; null: none does. $4: of these tenants; null: of all.
-- name: search_providers
SELECT f.kind, f.id, f.tenant_id, f.title, f.detail, f.at, f.event_id, f.channel
FROM (
    (
        SELECT 'provider' AS kind, p.id, p.tenant_id, p.name AS title, p.kind AS detail, p.created_at AS at,
            NULL::uuid AS event_id, p.channel
        FROM senders.providers p
        WHERE p.id >= $2::text AND p.id <= $3::text AND p.deleted_at IS NULL
            AND ($4::text[] IS NULL OR p.tenant_id = ANY ($4))
        ORDER BY p.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT 'delivery', s.delivery_id::text, s.tenant_id, '', 'message id ' || s.message_id, s.sent_at, s.event_id,
            s.channel
        FROM senders.providers p
        CROSS JOIN LATERAL (
            SELECT o.* FROM senders.sent o WHERE o.provider_id = p.id AND o.message_id = $1
        ) AS s
        WHERE $4::text[] IS NULL OR s.tenant_id = ANY ($4)
        LIMIT $5
    )
) AS f
