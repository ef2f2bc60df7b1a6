-- name: delete_ended
DELETE FROM ingest.console_links
WHERE digest IN (
    SELECT l.digest FROM ingest.console_links l WHERE l.expires_at <= now()
    ORDER BY l.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)

-- name: delete_earlier
DELETE FROM ingest.console_links WHERE user_id IS NOT DISTINCT FROM $1

-- name: insert
INSERT INTO ingest.console_links (digest, kind, user_id, expires_at)
VALUES ($1, $2, $3, now() + $4)
RETURNING expires_at

-- name: link
SELECT l.kind, l.user_id, l.expires_at, u.email, u.name
FROM ingest.console_links l
LEFT JOIN ingest.console_users u ON u.id = l.user_id
WHERE l.digest = $1 AND l.expires_at > now() AND u.disabled IS NOT TRUE

-- Two calls with the same code: one of them deletes the row.
-- name: use
DELETE FROM ingest.console_links WHERE digest = $1 AND expires_at > now() RETURNING kind, user_id
