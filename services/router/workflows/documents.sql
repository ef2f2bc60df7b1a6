-- In place of a version that is not kept any more comes the next one that is. $4: the reader has its document.
-- name: versions
SELECT item.place, v.version, w.name, w.event_type,
    CASE WHEN item.is_kept AND v.version = item.version THEN NULL ELSE v.document::text END AS document
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::boolean[]) WITH ORDINALITY
    AS item (tenant_id, workflow_id, version, is_kept, place)
JOIN router.workflows w ON w.tenant_id = item.tenant_id AND w.id = item.workflow_id
CROSS JOIN LATERAL (
    SELECT v.version, v.document
    FROM router.workflow_versions v
    WHERE v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.version >= item.version
    ORDER BY v.version
    LIMIT 1
) AS v
