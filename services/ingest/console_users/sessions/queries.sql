-- name: insert
INSERT INTO ingest.console_sessions (id, digest, user_id, user_agent, address, ends_at)
SELECT $1, $2, u.id, $4, $5, now() + $6
FROM ingest.console_users u
WHERE u.id = $3 AND NOT u.disabled AND ($7::text IS NULL OR u.password = $7)
RETURNING id

-- name: note_sign_in
UPDATE ingest.console_users SET last_sign_in_at = now() WHERE id = $1

-- $2: idle for so long. $3: all but so many of the newest.
-- name: delete_ended_of_user
DELETE FROM ingest.console_sessions
WHERE user_id = $1 AND (
    last_seen_at <= now() - $2::interval OR id NOT IN (
        SELECT k.id FROM ingest.console_sessions k WHERE k.user_id = $1 ORDER BY k.last_seen_at DESC, k.id DESC LIMIT $3
    )
)

-- name: delete_ended
DELETE FROM ingest.console_sessions
WHERE id IN (
    SELECT s.id FROM ingest.console_sessions s WHERE s.ends_at <= now()
    ORDER BY s.ends_at LIMIT $1 FOR UPDATE SKIP LOCKED
)

-- name: delete_old_failures
DELETE FROM ingest.console_failures
WHERE digest IN (
    SELECT f.digest FROM ingest.console_failures f WHERE f.began_at <= now() - $2::interval
    ORDER BY f.began_at LIMIT $1 FOR UPDATE SKIP LOCKED
)

-- name: session
SELECT s.id, s.user_id, s.created_at, s.last_seen_at, least(s.last_seen_at + $2::interval, s.ends_at) AS expires_at,
    s.ends_at, s.user_agent, s.address, s.last_seen_at < now() - $3::interval AS is_stale
FROM ingest.console_sessions s
JOIN ingest.console_users u ON u.id = s.user_id
WHERE s.digest = $1 AND s.ends_at > now() AND s.last_seen_at > now() - $2::interval AND NOT u.disabled

-- name: touch
UPDATE ingest.console_sessions SET last_seen_at = now() WHERE id = $1 AND last_seen_at < now() - $2::interval

-- name: end
DELETE FROM ingest.console_sessions WHERE digest = $1

-- name: of_user
SELECT s.id, s.user_id, s.created_at, s.last_seen_at, least(s.last_seen_at + $2::interval, s.ends_at) AS expires_at,
    s.ends_at, s.user_agent, s.address
FROM ingest.console_sessions s
WHERE s.user_id = $1 AND s.ends_at > now() AND s.last_seen_at > now() - $2::interval
ORDER BY s.last_seen_at DESC, s.id DESC
LIMIT $3

-- name: revoke
DELETE FROM ingest.console_sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2) RETURNING id

-- name: revoke_others
DELETE FROM ingest.console_sessions WHERE user_id = $1 AND id <> $2

-- name: is_known_address
SELECT EXISTS (SELECT 1 FROM ingest.console_sessions s WHERE s.user_id = $1 AND s.address = $2)

-- Counts an attempt for each digest before it is made, so that attempts at the same time are counted, too.
-- name: count_attempt
INSERT INTO ingest.console_failures AS f (digest, failures)
SELECT d.digest, 1 FROM unnest($1::bytea[]) AS d (digest) ORDER BY d.digest
ON CONFLICT (digest) DO UPDATE SET
    failures = CASE WHEN f.began_at <= now() - $2::interval THEN 1 ELSE f.failures + 1 END,
    began_at = CASE WHEN f.began_at <= now() - $2::interval THEN now() ELSE f.began_at END
RETURNING digest, failures, ceil(extract(epoch FROM began_at + $2::interval - now()))::int AS wait_s

-- name: forgive
UPDATE ingest.console_failures SET failures = greatest(failures - 1, 0) WHERE digest = $1

-- name: forget_failures
DELETE FROM ingest.console_failures WHERE digest = $1
