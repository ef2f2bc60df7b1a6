-- The canceled events of the configuration bucket: queries for a page of keys, and for the values of given keys.

-- name: canceled_ids
SELECT tenant_id, event_id FROM router.canceled_events
WHERE (tenant_id, event_id) > ($1, $2)
ORDER BY tenant_id, event_id
LIMIT $3

-- name: canceled
SELECT c.tenant_id, c.event_id, (extract(epoch FROM c.canceled_at) * 1000000)::bigint AS canceled_us
FROM router.canceled_events c
JOIN unnest($1::uuid[], $2::uuid[]) AS item (tenant_id, event_id)
    ON c.tenant_id = item.tenant_id AND c.event_id = item.event_id
