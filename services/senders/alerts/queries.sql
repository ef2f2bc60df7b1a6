-- Outages and the settings of alerts. Times are Unix microseconds. Statements that wait for several rows of an object lock
-- them in the order of audiences, so that they do not deadlock.

-- $1 ids, one for each audience, $2 kind, $3 tenant, $4 object, $5 channel, $6 name, $7 reason, $8 detail, $9 when, $10
-- the shortest time between two alerts of one object. An outage that goes on keeps its beginning. Another reason that
-- somebody has to act on ($11) is told again. One that was noticed already, and has ended since, does not begin again.
-- Of tenants without settings of their own nothing is stored for them ($12: whether tenants are told of this kind).
-- name: begin
INSERT INTO senders.outages AS o (
    id, kind, tenant_id, object_id, channel, name, reason, detail, began_us, failed_us, due_us, held_us, audience
)
SELECT a.id, $2::smallint, $3, $4, $5, $6, $7, $8, $9::bigint, $9, h.until_us, h.until_us, a.audience
FROM (
    SELECT u.id, (u.number - 1)::smallint AS audience FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, number)
) AS a
CROSS JOIN LATERAL (
    SELECT coalesce(max(e.began_us) + $10::bigint, 0) AS until_us
    FROM senders.outages e
    WHERE e.kind = $2 AND e.object_id = $4 AND e.audience = a.audience AND e.told IN (1, 2)
) AS h
WHERE NOT EXISTS (
    SELECT 1 FROM senders.outages e
    WHERE e.kind = $2 AND e.object_id = $4 AND e.audience = a.audience AND e.began_us >= $9 AND e.ended_us IS NOT NULL
) AND (a.audience = 0 OR ($12::boolean AND EXISTS (
    SELECT 1 FROM senders.tenant_alert_settings s WHERE s.tenant_id = $3
)))
ORDER BY a.audience
ON CONFLICT (kind, object_id, audience) WHERE ended_us IS NULL DO UPDATE SET
    failed_us = greatest(o.failed_us, EXCLUDED.failed_us),
    reason = CASE WHEN $11 THEN EXCLUDED.reason ELSE o.reason END,
    detail = CASE WHEN $11 THEN EXCLUDED.detail ELSE o.detail END,
    told = CASE WHEN $11 AND o.reason <> EXCLUDED.reason THEN 0 ELSE o.told END,
    due_us = CASE WHEN $11 AND o.reason <> EXCLUDED.reason THEN 0 ELSE o.due_us END,
    attempts = CASE WHEN $11 AND o.reason <> EXCLUDED.reason THEN 0 ELSE o.attempts END
RETURNING id

-- One of which nothing was told because its object failed just before is not told at all: it comes and goes.
-- name: end
UPDATE senders.outages SET
    ended_us = $3,
    told = CASE WHEN told = 0 AND held_us > $3 THEN 3 ELSE told END
WHERE id IN (
    SELECT o.id FROM senders.outages o
    WHERE o.kind = $1 AND o.object_id = $2 AND o.ended_us IS NULL AND o.began_us <= $3
    ORDER BY o.audience
    FOR UPDATE
)
RETURNING id

-- $1 now, $2 until when they are taken, $3 how many.
-- name: take
UPDATE senders.outages o SET due_us = $2
WHERE o.id IN (
    SELECT u.id FROM senders.outages u
    WHERE (u.told = 0 OR (u.told = 1 AND u.ended_us IS NOT NULL)) AND u.due_us <= $1
    ORDER BY u.due_us
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, tenant_id, object_id, channel, name, reason, detail, began_us, failed_us, ended_us, told, audience,
    attempts

-- $3: the reason that was told; another one since is told, too.
-- name: told
UPDATE senders.outages SET told = $2, due_us = $4, attempts = 0 WHERE id = $1 AND reason = $3

-- name: put_off
UPDATE senders.outages SET due_us = $2, held_us = $2 WHERE id = ANY ($1::uuid[])

-- $3: not of one that has another reason now, which was not tried yet.
-- name: failed
UPDATE senders.outages SET due_us = $2, attempts = attempts + 1 WHERE id = $1 AND reason = $3

-- $3: the tenant that is told; null: the operator.
-- name: told_since
SELECT count(*) FROM senders.outages
WHERE id >= $1 AND told IN (1, 2) AND kind = $2
    AND CASE WHEN $3::uuid IS NULL THEN audience = 0 ELSE audience = 1 AND tenant_id = $3 END

-- Providers whose failures nobody has seen for a while: the process that saw them may be gone.
-- name: quiet_providers
SELECT DISTINCT object_id FROM senders.outages
WHERE kind = 1 AND ended_us IS NULL AND failed_us < $1
ORDER BY object_id
LIMIT 10000

-- Outages of providers that were deleted end without being told; those that somebody else writes now, the next time.
-- name: end_deleted
UPDATE senders.outages SET ended_us = $1, told = 3
WHERE id IN (
    SELECT o.id FROM senders.outages o
    WHERE o.kind = 1 AND o.ended_us IS NULL AND EXISTS (
        SELECT 1 FROM senders.providers p WHERE p.id = o.object_id AND p.deleted_at IS NOT NULL
    )
    FOR UPDATE SKIP LOCKED
)

-- name: open_troubles
SELECT kind, object_id, reason FROM senders.outages WHERE kind IN (3, 4) AND audience = 0 AND ended_us IS NULL

-- name: sweep
DELETE FROM senders.outages
WHERE id IN (SELECT s.id FROM senders.outages s WHERE s.ended_us < $1 LIMIT 5000 FOR UPDATE SKIP LOCKED)

-- name: page
SELECT o.id, o.kind, o.tenant_id, o.object_id, o.channel, o.name, o.reason, o.detail, o.began_us, o.failed_us,
    o.ended_us, o.told, o.audience, o.attempts
FROM senders.outages o
WHERE o.audience = 0 AND ($1::uuid[] IS NULL OR o.tenant_id = ANY ($1)) AND (NOT $2::boolean OR o.ended_us IS NULL)
    AND ($3::uuid IS NULL OR o.id < $3)
ORDER BY o.id DESC
LIMIT $4

-- name: settings
SELECT tenant_id, recipients, kinds FROM senders.alert_settings

-- name: set_settings
INSERT INTO senders.alert_settings (tenant_id, recipients, kinds) VALUES ($1, $2, $3)
ON CONFLICT (installation) DO UPDATE SET
    tenant_id = EXCLUDED.tenant_id, recipients = EXCLUDED.recipients, kinds = EXCLUDED.kinds, updated_at = now()

-- name: settings_of_tenants
SELECT tenant_id, recipients, kinds, endpoints FROM senders.tenant_alert_settings WHERE tenant_id = ANY ($1::uuid[])

-- name: set_settings_of_tenant
INSERT INTO senders.tenant_alert_settings (tenant_id, recipients, kinds, endpoints) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id) DO UPDATE SET
    recipients = EXCLUDED.recipients, kinds = EXCLUDED.kinds, endpoints = EXCLUDED.endpoints, updated_at = now()

-- name: delete_settings_of_tenant
DELETE FROM senders.tenant_alert_settings WHERE tenant_id = $1
