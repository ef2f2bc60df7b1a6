-- What the configuration bucket holds of workflows. Writes publish by it, and the reconciler compares by it.

-- Of a type that was declared and has no workflow comes one row without a workflow.
-- name: workflows
SELECT item.tenant_id, item.name, w.id, w.environment_id, w.version, w.is_active
FROM unnest($1::uuid[], $2::text[]) AS item (tenant_id, name)
LEFT JOIN router.workflows w ON w.tenant_id = item.tenant_id AND w.event_type = item.name
WHERE w.id IS NOT NULL
    OR EXISTS (SELECT FROM router.event_types t WHERE t.tenant_id = item.tenant_id AND t.name = item.name)
ORDER BY item.tenant_id, item.name, w.id

-- name: workflows_keys
SELECT k.tenant_id, k.name
FROM (
    (
        SELECT t.tenant_id, t.name
        FROM router.event_types t
        WHERE (t.tenant_id, t.name) > ($1, $2)
        ORDER BY t.tenant_id, t.name
        LIMIT $3
    )
    UNION
    (
        SELECT DISTINCT w.tenant_id, w.event_type
        FROM router.workflows w
        WHERE (w.tenant_id, w.event_type) > ($1, $2)
        ORDER BY w.tenant_id, w.event_type
        LIMIT $3
    )
) AS k
ORDER BY k.tenant_id, k.name
LIMIT $3
