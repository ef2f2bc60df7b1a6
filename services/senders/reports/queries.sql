-- name: tenant_of_provider
SELECT tenant_id FROM senders.providers WHERE id = $1 AND deleted_at IS NULL
