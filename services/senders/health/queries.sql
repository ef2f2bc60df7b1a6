-- name: write_breakers
WITH resumed AS (
    DELETE FROM senders.provider_breakers WHERE process_id = $1 AND provider_id = ANY ($7::text[])
)
INSERT INTO senders.provider_breakers (provider_id, process_id, tenant_id, reason, since_us, next_try_us, seen_at)
SELECT t.provider_id, $1, t.tenant_id, t.reason, t.since_us, t.next_try_us, now()
FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    AS t (provider_id, tenant_id, reason, since_us, next_try_us)
ON CONFLICT (provider_id, process_id) DO UPDATE SET
    reason = EXCLUDED.reason, since_us = EXCLUDED.since_us, next_try_us = EXCLUDED.next_try_us, seen_at = now()

-- name: end_process
DELETE FROM senders.provider_breakers WHERE process_id = $1

-- In the order of the ids, so that processes wait for each other's rows in the same order.
-- name: write_failures
INSERT INTO senders.provider_failures (provider_id, at_us, reason, detail)
SELECT t.provider_id, t.at_us, t.reason, t.detail
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS t (provider_id, at_us, reason, detail)
ORDER BY t.provider_id
ON CONFLICT (provider_id) DO UPDATE SET at_us = EXCLUDED.at_us, reason = EXCLUDED.reason, detail = EXCLUDED.detail
    WHERE senders.provider_failures.at_us < EXCLUDED.at_us

-- name: write_calls
INSERT INTO senders.provider_calls (provider_id, step_us, calls, failures, refusals)
SELECT t.provider_id, $1, t.calls, t.failures, t.refusals
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (provider_id, calls, failures, refusals)
ORDER BY t.provider_id
ON CONFLICT (provider_id, step_us) DO UPDATE SET
    calls = senders.provider_calls.calls + EXCLUDED.calls,
    failures = senders.provider_calls.failures + EXCLUDED.failures,
    refusals = senders.provider_calls.refusals + EXCLUDED.refusals

-- name: breakers
SELECT provider_id, tenant_id, reason, since_us, next_try_us
FROM senders.provider_breakers
WHERE provider_id = ANY ($1::text[]) AND seen_at > now() - make_interval(secs => $2)
ORDER BY provider_id, process_id

-- name: failures
SELECT provider_id, at_us, reason, detail FROM senders.provider_failures WHERE provider_id = ANY ($1::text[])

-- name: calls
SELECT provider_id, sum(calls)::bigint AS calls, sum(failures)::bigint AS failures, sum(refusals)::bigint AS refusals
FROM senders.provider_calls
WHERE provider_id = ANY ($1::text[]) AND step_us > $2
GROUP BY provider_id

-- name: last_calls
SELECT provider_id, max(step_us) AS step_us
FROM senders.provider_calls
WHERE provider_id = ANY ($1::text[])
GROUP BY provider_id

-- name: delete_lost_breakers
DELETE FROM senders.provider_breakers WHERE seen_at < now() - make_interval(secs => $1)

-- The newest step of each provider stays until $3, because it says when the provider was called last.
-- name: delete_calls
DELETE FROM senders.provider_calls
WHERE (provider_id, step_us) IN (
    SELECT oldest.provider_id, oldest.step_us FROM senders.provider_calls AS oldest
    WHERE oldest.step_us < $1 AND (oldest.step_us < $3 OR EXISTS (
        SELECT 1 FROM senders.provider_calls AS newer
        WHERE newer.provider_id = oldest.provider_id AND newer.step_us > oldest.step_us
    ))
    ORDER BY oldest.step_us
    LIMIT $2
)

-- name: delete_failures
DELETE FROM senders.provider_failures
WHERE provider_id IN (
    SELECT oldest.provider_id FROM senders.provider_failures AS oldest
    WHERE oldest.at_us < $1
    ORDER BY oldest.at_us
    LIMIT $2
)

-- name: delete_tests
DELETE FROM senders.provider_tests
WHERE id IN (
    SELECT oldest.id FROM senders.provider_tests AS oldest
    WHERE oldest.tested_at < now() - interval '1 day'
    ORDER BY oldest.tested_at
    LIMIT $1
)

-- name: lock_tests
SELECT pg_advisory_xact_lock(hashtextextended('senders.provider_tests/' || $1, 0))

-- name: count_tests
SELECT count(*) FILTER (WHERE tested_at > now() - interval '1 minute') AS of_minute, count(*) AS of_day
FROM senders.provider_tests
WHERE tenant_id = $1 AND tested_at > now() - interval '1 day'

-- name: insert_test
INSERT INTO senders.provider_tests (tenant_id, provider_id) VALUES ($1, $2)
