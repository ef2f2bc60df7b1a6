-- Ids from $1 to $2, of the tenants in $3; null: of all. At most $4.
-- name: search
(
    SELECT 'workflow' AS kind, w.id, w.tenant_id, w.name AS title, w.event_type AS detail, w.created_at AS at,
        NULL::uuid AS event_id, NULL::smallint AS channel
    FROM router.workflows w
    WHERE w.id >= $1::uuid AND w.id <= $2::uuid AND ($3::uuid[] IS NULL OR w.tenant_id = ANY ($3))
    LIMIT $4
)
UNION ALL
(
    SELECT 'segment', s.id, s.tenant_id, s.name, s.key, s.created_at, NULL, NULL
    FROM router.segments s
    WHERE s.id >= $1::uuid AND s.id <= $2::uuid AND ($3::uuid[] IS NULL OR s.tenant_id = ANY ($3))
    LIMIT $4
)
UNION ALL
(
    SELECT 'schedule', c.id, c.tenant_id, c.name, c.cron, c.created_at, NULL, NULL
    FROM router.schedules c
    WHERE c.id >= $1::uuid AND c.id <= $2::uuid AND ($3::uuid[] IS NULL OR c.tenant_id = ANY ($3))
    LIMIT $4
)
UNION ALL
(
    SELECT 'import', i.id, i.tenant_id, i.file_name, '', i.created_at, NULL, NULL
    FROM router.imports i
    WHERE i.id >= $1::uuid AND i.id <= $2::uuid AND ($3::uuid[] IS NULL OR i.tenant_id = ANY ($3))
    LIMIT $4
)
ORDER BY id DESC
LIMIT $4
