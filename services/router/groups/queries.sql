-- is_new: it was not there before.
-- name: put
INSERT INTO router.groups AS g (tenant_id, id, key, name)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, key) WHERE deleted_at IS NULL DO UPDATE SET name = EXCLUDED.name
RETURNING g.id, g.key, g.name, g.members, g.created_at, g.xmax = 0 AS is_new

-- The row stays locked until the transaction ends, so it comes last in each.
-- name: count
INSERT INTO router.recipient_counts AS c (tenant_id, recipients, groups)
VALUES ($1, 0, $2)
ON CONFLICT (tenant_id) DO UPDATE SET groups = c.groups + EXCLUDED.groups
RETURNING c.groups

-- name: get
SELECT g.id, g.key, g.name, g.members, g.created_at
FROM router.groups g
WHERE g.tenant_id = $1 AND g.key = $2 AND g.deleted_at IS NULL

-- name: page
SELECT g.id, g.key, g.name, g.members, g.created_at
FROM router.groups g
WHERE g.tenant_id = $1 AND g.id > $2 AND g.deleted_at IS NULL
    AND (position(lower($4) IN lower(g.key)) > 0 OR position(lower($4) IN lower(g.name)) > 0)
ORDER BY g.id
LIMIT $3

-- name: delete
UPDATE router.groups g SET deleted_at = now()
WHERE g.tenant_id = $1 AND g.key = $2 AND g.deleted_at IS NULL

-- They cannot be deleted until the transaction ends. See the deletion of a recipient for the order of locks.
-- name: lock_recipients
SELECT r.id, r.recipient_id
FROM router.recipients r
WHERE r.tenant_id = $1 AND r.recipient_id = ANY($2::text[])
ORDER BY r.id
FOR KEY SHARE

-- name: lock
SELECT g.id FROM router.groups g WHERE g.tenant_id = $1 AND g.key = $2 AND g.deleted_at IS NULL FOR UPDATE

-- Those who are in $3 groups already, and not in this one.
-- name: in_too_many
SELECT wanted.id
FROM unnest($2::uuid[]) AS wanted (id)
WHERE EXISTS (SELECT FROM router.group_members m WHERE m.tenant_id = $1 AND m.member_id = wanted.id OFFSET $3 - 1)
    AND NOT EXISTS (SELECT FROM router.group_members m WHERE m.group_id = $4 AND m.member_id = wanted.id)

-- name: add_members
INSERT INTO router.group_members (tenant_id, group_id, member_id)
SELECT $1, $2, wanted.id FROM unnest($3::uuid[]) AS wanted (id) ORDER BY wanted.id
ON CONFLICT DO NOTHING

-- name: remove_members
DELETE FROM router.group_members m
USING router.recipients r
WHERE r.tenant_id = $1 AND r.recipient_id = ANY($3::text[]) AND m.group_id = $2 AND m.member_id = r.id

-- name: count_members
UPDATE router.groups g SET members = g.members + $3 WHERE g.tenant_id = $1 AND g.id = $2

-- name: member_ids
SELECT m.member_id AS id
FROM router.group_members m
WHERE m.group_id = $1 AND m.member_id > $2
ORDER BY m.member_id
LIMIT $3

-- The next members of deleted groups. Another router may be at it too.
-- name: remove_members_of_deleted
DELETE FROM router.group_members m
USING (
    SELECT o.group_id, o.member_id
    FROM router.group_members o
    WHERE o.group_id = (
        SELECT g.id
        FROM router.groups g
        WHERE g.deleted_at IS NOT NULL
            AND EXISTS (SELECT FROM router.group_members i WHERE i.group_id = g.id)
        ORDER BY g.id
        LIMIT 1
    )
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) AS old
WHERE m.group_id = old.group_id AND m.member_id = old.member_id

-- name: remove_deleted
DELETE FROM router.groups g
WHERE g.deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM router.group_members m WHERE m.group_id = g.id)
