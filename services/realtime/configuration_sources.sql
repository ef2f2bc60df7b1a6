-- What the configuration bucket must contain of realtime's tables: a page of keys, then their values.

-- name: epoch_ids
SELECT tenant_id, recipient FROM realtime.revocations
WHERE (tenant_id, recipient) > ($1, $2)
ORDER BY tenant_id, recipient
LIMIT $3

-- name: epochs
SELECT e.tenant_id, e.recipient, e.epoch
FROM realtime.revocations e
JOIN unnest($1::text[], $2::text[]) AS item (tenant_id, recipient)
    ON e.tenant_id = item.tenant_id AND e.recipient = item.recipient
