-- What the configuration bucket holds of endpoints. Writes publish by these queries, and the reconciler compares by them.

-- name: endpoints
SELECT e.tenant_id, e.id, e.environment_id, e.application_id, e.kind, e.mode, e.url, e.is_active, e.sealed_headers,
    e.sealed_auth, e.config, e.rate_per_s, e.batch_size, e.retry_delays_s, e.revision
FROM unnest($1::uuid[], $2::uuid[]) AS item (tenant_id, id)
JOIN router.endpoints e ON e.tenant_id = item.tenant_id AND e.id = item.id

-- All of them, also those that have ended: what is published depends on the rows alone, and not on the time.
-- name: secrets
SELECT s.tenant_id, s.endpoint_id, s.id, s.ciphertext, s.expires_at
FROM unnest($1::uuid[], $2::uuid[]) AS item (tenant_id, id)
JOIN router.endpoint_secrets s ON s.tenant_id = item.tenant_id AND s.endpoint_id = item.id
ORDER BY s.tenant_id, s.endpoint_id, s.created_at DESC, s.id DESC

-- name: subscribers
SELECT t.tenant_id, t.name, s.endpoint_id, e.environment_id, s.filter
FROM unnest($1::uuid[], $2::text[]) AS item (tenant_id, name)
JOIN router.event_types t ON t.tenant_id = item.tenant_id AND t.name = item.name
JOIN router.subscriptions s ON s.tenant_id = t.tenant_id AND s.event_type_id = t.id
JOIN router.endpoints e ON e.tenant_id = s.tenant_id AND e.id = s.endpoint_id
WHERE e.is_active
ORDER BY t.tenant_id, t.name, s.endpoint_id

-- name: endpoint_keys
SELECT e.tenant_id, e.id
FROM router.endpoints e
WHERE (e.tenant_id, e.id) > ($1, $2)
ORDER BY e.tenant_id, e.id
LIMIT $3

-- name: subscribers_keys
SELECT t.tenant_id, t.name
FROM router.event_types t
WHERE (t.tenant_id, t.name) > ($1, $2)
    AND EXISTS (
        SELECT FROM router.subscriptions s
        JOIN router.endpoints e ON e.tenant_id = s.tenant_id AND e.id = s.endpoint_id
        WHERE s.tenant_id = t.tenant_id AND s.event_type_id = t.id AND e.is_active
    )
ORDER BY t.tenant_id, t.name
LIMIT $3
