-- {condition} stands for what condition.py makes, with parameters from $6 on, {data} for a join with d (scan.py). $1: tenant;
-- $2: after this recipient; $3: up to this one; $4: at most so many; $5: of those with this tag. Statements are given no more
-- than some thousand rows between $2 and $3: last_looked_at is where these end.
-- name: last_looked_at
SELECT r.id
FROM router.recipients r
-- This is r.tenant_id = $1 AND r.id > $2, in a form that is never planned as "find all, then sort".
WHERE (r.tenant_id, r.id) > ($1::uuid, $2::uuid) AND r.tenant_id <= $1 AND r.id <= $3
ORDER BY r.tenant_id, r.id
OFFSET $4 - 1 LIMIT 1

-- name: last_looked_at_with_tag
SELECT t.member_id AS id
FROM router.recipient_tags t
WHERE (t.tenant_id, t.tag, t.member_id) > ($1::uuid, $5::text, $2::uuid) AND t.tenant_id <= $1 AND t.tag <= $5
    AND t.member_id <= $3
ORDER BY t.tenant_id, t.tag, t.member_id
OFFSET $4 - 1 LIMIT 1

-- name: ids
SELECT r.id
FROM router.recipients r {data}
WHERE r.tenant_id = $1 AND r.id > $2 AND r.id <= $3 AND $5::text IS NOT NULL AND {condition}
ORDER BY r.id
LIMIT $4

-- name: ids_with_tag
SELECT r.id
FROM router.recipient_tags t
CROSS JOIN LATERAL (
    SELECT o.* FROM router.recipients o WHERE o.tenant_id = $1 AND o.id = t.member_id LIMIT 1
) AS r {data}
WHERE t.tenant_id = $1 AND t.tag = $5 AND t.member_id > $2 AND t.member_id <= $3 AND {condition}
ORDER BY t.member_id
LIMIT $4

-- name: count
SELECT count(*)
FROM (
    SELECT
    FROM router.recipients r {data}
    WHERE r.tenant_id = $1 AND r.id > $2 AND r.id <= $3 AND $5::text IS NOT NULL AND {condition}
    LIMIT $4
) AS found

-- name: count_with_tag
SELECT count(*)
FROM (
    SELECT
    FROM router.recipient_tags t
    CROSS JOIN LATERAL (
        SELECT o.* FROM router.recipients o WHERE o.tenant_id = $1 AND o.id = t.member_id LIMIT 1
    ) AS r {data}
    WHERE t.tenant_id = $1 AND t.tag = $5 AND t.member_id > $2 AND t.member_id <= $3 AND {condition}
    LIMIT $4
) AS found

-- Those of $2 whom a condition matches.
-- name: among
SELECT r.recipient_id
FROM router.recipients r {data}
WHERE r.tenant_id = $1 AND r.recipient_id = ANY ($2::text[]) AND $3::text IS NULL AND $4::text IS NULL AND $5::text IS NULL
    AND {condition}
