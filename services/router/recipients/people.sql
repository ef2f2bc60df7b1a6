-- name: find
SELECT r.tenant_id, r.recipient_id, r.email, r.phone, r.locale, r.timezone, r.muted_channels, r.inactive,
    CASE WHEN $3 THEN r.name END AS name, CASE WHEN $3 THEN r.data END AS data, CASE WHEN $3 THEN r.tags END AS tags,
    CASE WHEN $3 THEN r.category_preferences END AS category_preferences
FROM unnest($1::uuid[], $2::text[]) AS wanted (tenant_id, recipient_id)
JOIN router.recipients r ON r.tenant_id = wanted.tenant_id AND r.recipient_id = wanted.recipient_id

-- name: newest
SELECT id FROM router.recipients WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1

-- The next $6 members of groups and recipients that are named, up to $8. Of each group only so many are read, from where the page
-- begins; is_excluded is found for these alone, so that a page is no longer if most of them are.
-- name: page_of_named
WITH found AS MATERIALIZED (
    SELECT m.member_id AS id
    FROM router.groups g
    CROSS JOIN LATERAL (
        SELECT gm.member_id
        FROM router.group_members gm
        -- This is gm.group_id = g.id AND gm.member_id > $5, in a form that is never planned as "find all, then sort".
        WHERE (gm.group_id, gm.member_id) > (g.id, $5::uuid) AND gm.group_id <= g.id
        ORDER BY gm.group_id, gm.member_id
        LIMIT $6
    ) AS m
    WHERE g.tenant_id = $1 AND g.key = ANY($2::text[]) AND g.deleted_at IS NULL
    UNION
    SELECT r.id
    FROM router.recipients r
    WHERE r.tenant_id = $1 AND r.recipient_id = ANY($3::text[]) AND r.id > $5
    ORDER BY id
    LIMIT $6
)
SELECT r.id, r.tenant_id, r.recipient_id, r.email, r.phone, r.locale, r.timezone, r.muted_channels, r.inactive,
    r.recipient_id = ANY($4::text[]) OR x.member_id IS NOT NULL AS is_excluded
FROM found
-- LIMIT, here and below, keeps the planner from a hash join, which would read all rows of the tenant or of a group.
CROSS JOIN LATERAL (
    SELECT o.id, o.tenant_id, o.recipient_id, o.email, o.phone, o.locale, o.timezone, o.muted_channels, o.inactive
    FROM router.recipients o
    WHERE o.tenant_id = $1 AND o.id = found.id
    LIMIT 1
) AS r
LEFT JOIN LATERAL (
    SELECT xm.member_id
    FROM router.group_members xm
    WHERE xm.tenant_id = $1 AND xm.member_id = found.id AND xm.group_id = ANY(ARRAY(
        SELECT g.id FROM router.groups g WHERE g.tenant_id = $1 AND g.key = ANY($7::text[]) AND g.deleted_at IS NULL
    ))
    LIMIT 1
) AS x ON true
-- Only here: within found it would be planned as above.
WHERE found.id <= $8::uuid
ORDER BY r.id

-- The next $4 recipients of a tenant, up to $6.
-- name: page_of_everybody
WITH found AS MATERIALIZED (
    SELECT r.id, r.tenant_id, r.recipient_id, r.email, r.phone, r.locale, r.timezone, r.muted_channels, r.inactive
    FROM router.recipients r
    -- This is r.tenant_id = $1 AND r.id > $3; see page_of_named.
    WHERE (r.tenant_id, r.id) > ($1::uuid, $3::uuid) AND r.tenant_id <= $1
    ORDER BY r.tenant_id, r.id
    LIMIT $4
)
SELECT r.id, r.tenant_id, r.recipient_id, r.email, r.phone, r.locale, r.timezone, r.muted_channels, r.inactive,
    r.recipient_id = ANY($2::text[]) OR x.member_id IS NOT NULL AS is_excluded
FROM found r
LEFT JOIN LATERAL (
    SELECT xm.member_id
    FROM router.group_members xm
    WHERE xm.tenant_id = $1 AND xm.member_id = r.id AND xm.group_id = ANY(ARRAY(
        SELECT g.id FROM router.groups g WHERE g.tenant_id = $1 AND g.key = ANY($5::text[]) AND g.deleted_at IS NULL
    ))
    LIMIT 1
) AS x ON true
WHERE r.id <= $6::uuid
ORDER BY r.id

-- Of the recipients with these ids, whether they are excluded as in page_of_named; $5: whole, see find.
-- name: page_of_ids
SELECT r.id, r.tenant_id, r.recipient_id, r.email, r.phone, r.locale, r.timezone, r.muted_channels, r.inactive,
    CASE WHEN $5 THEN r.name END AS name, CASE WHEN $5 THEN r.data END AS data, CASE WHEN $5 THEN r.tags END AS tags,
    CASE WHEN $5 THEN r.category_preferences END AS category_preferences,
    r.recipient_id = ANY($3::text[]) OR x.member_id IS NOT NULL AS is_excluded
FROM unnest($2::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT o.* FROM router.recipients o WHERE o.tenant_id = $1 AND o.id = wanted.id LIMIT 1
) AS r
LEFT JOIN LATERAL (
    SELECT xm.member_id
    FROM router.group_members xm
    WHERE xm.tenant_id = $1 AND xm.member_id = wanted.id AND xm.group_id = ANY(ARRAY(
        SELECT g.id FROM router.groups g WHERE g.tenant_id = $1 AND g.key = ANY($4::text[]) AND g.deleted_at IS NULL
    ))
    LIMIT 1
) AS x ON true
ORDER BY r.id
