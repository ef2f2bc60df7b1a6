-- In the order of their ids, so that two calls with the same recipients cannot wait for each other.
-- name: put
INSERT INTO router.recipients AS r (
    tenant_id, id, recipient_id, email, phone, name, locale, timezone, data, tags, muted_channels
)
SELECT $1, item.id, item.recipient_id, item.email, item.phone, item.name, item.locale, item.timezone, item.data,
    item.tags, item.muted_channels
FROM json_to_recordset($2::json) AS item (
    id uuid, recipient_id text, email text, phone text, name text, locale text, timezone text, data json, tags text[],
    muted_channels smallint[]
)
ORDER BY item.recipient_id
ON CONFLICT (recipient_id, tenant_id) DO UPDATE SET
    email = EXCLUDED.email, phone = EXCLUDED.phone, name = EXCLUDED.name, locale = EXCLUDED.locale,
    timezone = EXCLUDED.timezone, data = EXCLUDED.data, tags = EXCLUDED.tags,
    muted_channels = EXCLUDED.muted_channels, updated_at = now(),
    -- Another address is nobody's alone.
    unique_email = CASE WHEN lower(EXCLUDED.email) = r.unique_email THEN r.unique_email END
RETURNING r.id

-- name: remove_old_tags
DELETE FROM router.recipient_tags t
USING router.recipients r
WHERE r.tenant_id = $1 AND r.id = ANY($2::uuid[])
    AND t.tenant_id = $1 AND t.member_id = r.id AND t.tag <> ALL (r.tags)

-- name: add_tags
INSERT INTO router.recipient_tags (tenant_id, tag, member_id)
SELECT $1, tag.tag, r.id
FROM router.recipients r
CROSS JOIN unnest(r.tags) AS tag (tag)
WHERE r.tenant_id = $1 AND r.id = ANY($2::uuid[])
ON CONFLICT DO NOTHING

-- The row stays locked until the transaction ends, so it comes last in each.
-- name: count
INSERT INTO router.recipient_counts AS c (tenant_id, recipients, groups)
VALUES ($1, $2, 0)
ON CONFLICT (tenant_id) DO UPDATE SET recipients = c.recipients + EXCLUDED.recipients
RETURNING c.recipients

-- name: by_ids
SELECT r.id, r.recipient_id, r.email, r.phone, r.name, r.locale, r.timezone, r.data, r.tags, r.muted_channels,
    r.category_preferences, r.device_tokens, r.inactive, r.unique_email IS NOT NULL AS is_unique, r.created_at, r.updated_at
FROM router.recipients r
WHERE r.tenant_id = $1 AND r.id = ANY($2::uuid[])
ORDER BY r.id

-- name: id_of
SELECT r.id FROM router.recipients r WHERE r.tenant_id = $1 AND r.recipient_id = $2

-- name: groups_of
SELECT g.key
FROM router.group_members m
JOIN router.groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
WHERE m.tenant_id = $1 AND m.member_id = $2 AND g.deleted_at IS NULL
ORDER BY g.key
LIMIT $3

-- name: ids
SELECT r.id
FROM router.recipients r
WHERE r.tenant_id = $1 AND r.id > $2
ORDER BY r.id
LIMIT $3

-- With the first of the tags, which differ, and all the others.
-- name: ids_with_tags
SELECT t.member_id AS id
FROM router.recipient_tags t
WHERE t.tenant_id = $1 AND t.tag = ($4::text[])[1] AND t.member_id > $2
    AND cardinality($4::text[]) - 1 = (
        SELECT count(*)
        FROM router.recipient_tags o
        WHERE o.tenant_id = $1 AND o.member_id = t.member_id AND o.tag = ANY (($4::text[])[2:])
    )
ORDER BY t.member_id
LIMIT $3

-- name: ids_with_email
SELECT r.id
FROM router.recipients r
WHERE r.tenant_id = $1 AND lower(r.email) = lower($5) AND r.email <> '' AND r.id > $2 AND r.tags @> $4::text[]
ORDER BY r.id
LIMIT $3

-- name: ids_with_phone
SELECT r.id
FROM router.recipients r
WHERE r.tenant_id = $1 AND r.phone = $5 AND r.phone <> '' AND r.id > $2 AND r.tags @> $4::text[]
ORDER BY r.id
LIMIT $3

-- Deleting a recipient. A statement that adds them to a group locks them too, and always before the group.
-- name: lock
SELECT r.id FROM router.recipients r WHERE r.tenant_id = $1 AND r.id = $2 FOR UPDATE

-- name: lock_groups_of
SELECT g.id
FROM router.groups g
WHERE g.tenant_id = $1
    AND g.id IN (SELECT m.group_id FROM router.group_members m WHERE m.tenant_id = $1 AND m.member_id = $2)
ORDER BY g.id
FOR UPDATE

-- name: leave_groups
WITH ended AS (
    DELETE FROM router.group_members m WHERE m.tenant_id = $1 AND m.member_id = $2 RETURNING m.group_id
)
UPDATE router.groups g SET members = g.members - 1 FROM ended WHERE g.tenant_id = $1 AND g.id = ended.group_id

-- name: delete
DELETE FROM router.recipients r WHERE r.tenant_id = $1 AND r.id = $2

-- name: lock_tags
SELECT r.id, r.tags FROM router.recipients r WHERE r.tenant_id = $1 AND r.id = $2 FOR UPDATE

-- name: set_tags
UPDATE router.recipients r SET tags = $3, updated_at = now() WHERE r.tenant_id = $1 AND r.id = $2

-- name: tags
SELECT t.tag, count(*) AS recipients
FROM router.recipient_tags t
WHERE t.tenant_id = $1 AND starts_with(t.tag, $2)
GROUP BY t.tag
ORDER BY count(*) DESC, t.tag
LIMIT $3

-- Recipients by the tenant's id of them, and by address. $1: what was typed; $2: as an address in the form that is stored;
-- null: it is none. $3: of these tenants; null: of all.
-- name: search
SELECT 'recipient' AS kind, f.recipient_id AS id, f.tenant_id, f.name AS title, f.detail, f.created_at AS at,
    NULL::uuid AS event_id, NULL::smallint AS channel
FROM (
    (
        SELECT r.recipient_id, r.tenant_id, r.name, 'stored' AS detail, r.created_at FROM router.recipients r
        WHERE r.recipient_id = $1 AND ($3::uuid[] IS NULL OR r.tenant_id = ANY ($3))
        LIMIT $4
    )
    UNION ALL
    (
        SELECT e.recipient_id, e.tenant_id, e.name, $2, e.created_at
        FROM router.recipient_counts c
        CROSS JOIN LATERAL (
            (
                SELECT o.* FROM router.recipients o
                WHERE o.tenant_id = c.tenant_id AND lower(o.email) = lower($2::text) AND o.email <> '' LIMIT $4
            )
            UNION ALL
            (
                SELECT o.* FROM router.recipients o
                WHERE o.tenant_id = c.tenant_id AND o.phone = $2 AND o.phone <> '' LIMIT $4
            )
        ) AS e
        WHERE $3::uuid[] IS NULL OR c.tenant_id = ANY ($3)
        LIMIT $4
    )
) AS f
LIMIT $4
