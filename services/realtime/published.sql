-- What the configuration bucket holds of realtime's tables: the keys, a page at a time; then values.

-- name: epoch_ids
SELECT tenant_id, user_id FROM realtime.epochs
WHERE (tenant_id, user_id) > ($1, $2)
ORDER BY tenant_id, user_id
LIMIT $3

-- name: epochs
SELECT e.tenant_id, e.user_id, e.epoch
FROM realtime.epochs e
JOIN unnest($1::text[], $2::text[]) AS item (tenant_id, user_id)
    ON e.tenant_id = item.tenant_id AND e.user_id = item.user_id
