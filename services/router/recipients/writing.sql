-- Who stores or changes somebody by an identifier holds its lock until the transaction ends. $1: in their order, so that two
-- transactions never wait for each other.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('router.recipients/' || wanted.identifier, 0))
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (identifier, position)
ORDER BY wanted.position

-- Who has the identifiers of those who are wanted, of whom each is a row: found_by says which. Of several with one address,
-- the one whose it is alone, else the oldest.
-- name: look_up
SELECT w.position, f.found_by, f.id
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
    AS w (tenant_id, recipient_id, id, email, phone, new_recipient_id, position)
CROSS JOIN LATERAL (
    SELECT 'recipient_id' AS found_by, o.id
    FROM router.recipients o
    WHERE o.recipient_id = w.recipient_id AND o.tenant_id = w.tenant_id AND w.recipient_id <> ''
    UNION ALL
    SELECT 'new_recipient_id', o.id
    FROM router.recipients o
    WHERE o.recipient_id = w.new_recipient_id AND o.tenant_id = w.tenant_id AND w.new_recipient_id <> ''
    UNION ALL
    SELECT 'id', o.id FROM router.recipients o WHERE o.tenant_id = w.tenant_id AND o.id = w.id
    UNION ALL
    (
        SELECT 'email', o.id
        FROM router.recipients o
        WHERE o.tenant_id = w.tenant_id AND lower(o.email) = lower(w.email) AND o.email <> '' AND w.email <> ''
        ORDER BY o.unique_email, o.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 'phone', o.id
        FROM router.recipients o
        WHERE o.tenant_id = w.tenant_id AND o.phone = w.phone AND o.phone <> '' AND w.phone <> ''
        ORDER BY o.id
        LIMIT 1
    )
) AS f
ORDER BY w.position, f.found_by

-- name: rows
SELECT r.tenant_id, r.id, r.recipient_id, r.email, r.phone, r.name, r.locale, r.timezone, r.data, r.tags, r.muted_channels,
    r.category_preferences, r.device_tokens, r.inactive, r.unique_email IS NOT NULL AS is_unique, r.created_at, r.updated_at
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (tenant_id, id)
JOIN router.recipients r ON r.tenant_id = wanted.tenant_id AND r.id = wanted.id

-- name: lock_rows
SELECT r.id
FROM router.recipients r
WHERE r.tenant_id = $1 AND r.id = ANY ($2::uuid[])
ORDER BY r.id
FOR UPDATE

-- name: insert
INSERT INTO router.recipients (
    tenant_id, id, recipient_id, email, phone, name, locale, timezone, data, tags, muted_channels, category_preferences,
    device_tokens, inactive, unique_email
)
SELECT $1, item.id, item.recipient_id, item.email, item.phone, item.name, item.locale, item.timezone, item.data,
    item.tags, item.muted_channels, item.category_preferences, item.device_tokens, item.inactive,
    CASE WHEN item.is_unique AND item.email <> '' THEN lower(item.email) END
FROM json_to_recordset($2::json) AS item (
    id uuid, recipient_id text, email text, phone text, name text, locale text, timezone text, data json, tags text[],
    muted_channels smallint[], category_preferences json, device_tokens json, inactive boolean, is_unique boolean
)
ORDER BY item.recipient_id

-- name: update
UPDATE router.recipients r SET
    recipient_id = item.recipient_id, email = item.email, phone = item.phone, name = item.name, locale = item.locale,
    timezone = item.timezone, data = item.data, tags = item.tags, muted_channels = item.muted_channels,
    category_preferences = item.category_preferences, device_tokens = item.device_tokens, inactive = item.inactive,
    unique_email = CASE WHEN item.is_unique AND item.email <> '' THEN lower(item.email) END, updated_at = now()
FROM json_to_recordset($2::json) AS item (
    id uuid, recipient_id text, email text, phone text, name text, locale text, timezone text, data json, tags text[],
    muted_channels smallint[], category_preferences json, device_tokens json, inactive boolean, is_unique boolean
)
WHERE r.tenant_id = $1 AND r.id = item.id

-- Workflow runs that go on for people who have another recipient_id now: they follow them. A router that has read one as it was
-- decides nothing of it. What is decided is published as it is.
-- name: rename_workflow_runs
UPDATE router.workflow_runs w SET
    recipient_id = t.after, revision = CASE WHEN w.output IS NULL THEN w.revision + 1 ELSE w.revision END
FROM unnest($2::text[], $3::text[]) AS t (before, after)
WHERE w.tenant_id = $1 AND w.recipient_id = t.before AND w.state IN (1, 2)

-- Of a workflow for which the new recipient_id has a cooldown, that one counts.
-- name: rename_cooldowns
UPDATE router.cooldowns c SET recipient_id = t.after
FROM unnest($2::text[], $3::text[]) AS t (before, after)
WHERE c.tenant_id = $1 AND c.recipient_id = t.before AND NOT EXISTS (
    SELECT FROM router.cooldowns o
    WHERE o.tenant_id = c.tenant_id AND o.workflow_id = c.workflow_id AND o.recipient_id = t.after
)
