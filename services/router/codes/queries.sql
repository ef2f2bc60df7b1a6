-- Sessions for one subject are made one after the other, so that they can be counted.
-- name: lock_subject
SELECT pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text || '/' || $3::text, 14))

-- The sessions made for a subject within the last hour, and the seconds until the oldest of them is an hour old.
-- name: made_lately
SELECT count(*) AS made, extract(epoch FROM min(created_at) + interval '1 hour' - now())::double precision AS until_s
FROM router.codes
WHERE tenant_id = $1 AND scope = $2 AND subject = $3 AND created_at > now() - interval '1 hour'

-- name: insert
INSERT INTO router.codes
    (id, tenant_id, token_hash, scope, subject, code_hash, digits, ttl, resend_after, max_attempts, memo, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + $8)
RETURNING expires_at

-- An attempt with the token's session if it is open. Two that come at the same time are counted one after the other.
-- name: attempt
UPDATE router.codes
SET attempts = attempts + 1, verified_at = CASE WHEN code_hash = $3 THEN now() END
WHERE token_hash = $1 AND tenant_id = $2 AND verified_at IS NULL AND attempts < max_attempts AND expires_at > now()
RETURNING id, subject, memo, verified_at IS NOT NULL AS is_right, max_attempts - attempts AS attempts_left

-- name: session
SELECT id, subject, digits, memo, renewals, max_attempts - attempts AS attempts_left, verified_at IS NOT NULL AS is_verified,
    expires_at <= now() AS is_expired, extract(epoch FROM made_at + resend_after - now())::double precision AS wait_s
FROM router.codes
WHERE token_hash = $1 AND tenant_id = $2

-- Another code, if nobody was faster.
-- name: renew
UPDATE router.codes
SET code_hash = $3, attempts = 0, renewals = renewals + 1, made_at = now(), expires_at = now() + ttl
WHERE token_hash = $1 AND tenant_id = $2
    AND verified_at IS NULL AND attempts < max_attempts AND expires_at > now() AND made_at + resend_after <= now()
RETURNING expires_at

-- name: delete_old
DELETE FROM router.codes
WHERE id IN (
    SELECT id FROM router.codes WHERE expires_at <= now() - interval '1 hour' ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING id

-- name: erase
DELETE FROM router.codes WHERE tenant_id = $1 AND subject = ANY ($2::text[]) RETURNING id
