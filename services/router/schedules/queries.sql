-- Arguments that are times: Unix microseconds; null: none.

-- Until the transaction ends, so that a tenant's schedules are counted and created by one at a time.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('router.schedules/' || $1, 0))

-- name: count
SELECT count(*) FROM router.schedules WHERE tenant_id = $1

-- name: insert
INSERT INTO router.schedules (
    id, tenant_id, scope, name, cron, timezone, active, event, next_at, wake_at, created_at, updated_at
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8,
    'epoch'::timestamptz + $9::bigint * interval '1 microsecond',
    'epoch'::timestamptz + $9::bigint * interval '1 microsecond',
    'epoch'::timestamptz + $10::bigint * interval '1 microsecond',
    'epoch'::timestamptz + $10::bigint * interval '1 microsecond'
)
RETURNING id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at

-- name: get
SELECT id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at
FROM router.schedules
WHERE tenant_id = $1 AND id = $2

-- name: get_for_update
SELECT id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at
FROM router.schedules
WHERE tenant_id = $1 AND id = $2
FOR UPDATE

-- $4: null for any scope.
-- name: page
SELECT id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at
FROM router.schedules
WHERE tenant_id = $1 AND id < $2 AND ($4::text IS NULL OR scope = $4)
ORDER BY id DESC
LIMIT $3

-- $7: whether the next time, $8, was found again; what is being worked on then sets none. A time that is being worked on,
-- or tried again, keeps its event, which may be accepted already.
-- name: update
UPDATE router.schedules SET
    name = $2, cron = $3, timezone = $4, active = $5, event = $6,
    event_in_hand = CASE WHEN $7 THEN NULL WHEN wake_at IS DISTINCT FROM next_at AND event <> $6
        THEN coalesce(event_in_hand, event) ELSE event_in_hand END,
    next_at = CASE WHEN $7 THEN 'epoch'::timestamptz + $8::bigint * interval '1 microsecond' ELSE next_at END,
    wake_at = CASE WHEN $7 THEN 'epoch'::timestamptz + $8::bigint * interval '1 microsecond' ELSE wake_at END,
    revision = CASE WHEN $7 THEN revision + 1 ELSE revision END,
    tries = CASE WHEN $7 THEN 0 ELSE tries END,
    updated_at = 'epoch'::timestamptz + $9::bigint * interval '1 microsecond'
WHERE id = $1
RETURNING id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at

-- name: delete
DELETE FROM router.schedules WHERE tenant_id = $1 AND id = $2

-- Leases up to $3 schedules whose time has come, with events of about $4 bytes together: if this process ends, another one
-- sees them when the lease ends at $2.
-- name: claim
UPDATE router.schedules s SET wake_at = 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
FROM (
    SELECT placed.id
    FROM (
        SELECT found.id, sum(found.size) OVER (ORDER BY found.wake_at, found.id) - found.size AS bytes_before
        FROM (
            SELECT id, wake_at, octet_length(coalesce(event_in_hand, event)) AS size FROM router.schedules
            WHERE wake_at <= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
            ORDER BY wake_at
            LIMIT $3
            FOR UPDATE SKIP LOCKED
        ) AS found
    ) AS placed
    WHERE placed.bytes_before < $4
) AS due
WHERE s.id = due.id
RETURNING s.id, s.tenant_id, s.scope, s.name, s.cron, s.timezone, s.active, coalesce(s.event_in_hand, s.event) AS event,
    s.next_at, s.revision, s.tries, s.last_at, s.last_event_id, s.last_error, s.last_error_detail, s.created_at, s.updated_at

-- Seconds from $1 until the next schedule must be looked at; null: none.
-- name: until_next
SELECT extract(epoch FROM min(wake_at) - ('epoch'::timestamptz + $1::bigint * interval '1 microsecond'))::float8
FROM router.schedules
WHERE wake_at IS NOT NULL

-- What became of a time. The next one is set only if nobody found another one meanwhile; so a time that two routers had
-- in hand, because one was slower than its lease, counts once.
-- name: pass_on
UPDATE router.schedules s SET
    next_at = CASE WHEN s.revision = t.revision THEN 'epoch'::timestamptz + t.next_us * interval '1 microsecond'
        ELSE s.next_at END,
    wake_at = CASE WHEN s.revision = t.revision THEN 'epoch'::timestamptz + t.next_us * interval '1 microsecond'
        ELSE s.wake_at END,
    event_in_hand = CASE WHEN s.revision = t.revision THEN NULL ELSE s.event_in_hand END,
    revision = CASE WHEN s.revision = t.revision THEN s.revision + 1 ELSE s.revision END,
    tries = CASE WHEN s.revision = t.revision THEN 0 ELSE s.tries END,
    last_at = 'epoch'::timestamptz + t.at_us * interval '1 microsecond',
    last_event_id = CASE WHEN t.event_id = '' THEN s.last_event_id ELSE t.event_id END,
    last_error = t.error,
    last_error_detail = t.detail
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
    AS t (id, revision, at_us, next_us, event_id, error, detail)
WHERE s.id = t.id
    AND (s.last_at IS NULL OR s.last_at < 'epoch'::timestamptz + t.at_us * interval '1 microsecond')

-- The event of a time could not be accepted, and is tried again.
-- name: hold
UPDATE router.schedules s SET
    wake_at = 'epoch'::timestamptz + t.until_us * interval '1 microsecond',
    tries = t.tries, last_error = t.error, last_error_detail = t.detail
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[])
    AS t (id, revision, until_us, tries, error, detail)
WHERE s.id = t.id AND s.revision = t.revision

-- Those after $4 whose event may name a person, whose id $2 is as bytes. $3: all, because an address may be written in several
-- ways. At most $5, because each event may be large.
-- name: lock_naming
SELECT id, event, event_in_hand
FROM router.schedules
WHERE tenant_id = $1 AND id > $4
    AND ($3::boolean OR position($2::bytea IN event) > 0 OR position($2::bytea IN event_in_hand) > 0)
ORDER BY id
LIMIT $5
FOR UPDATE

-- As lock_naming.
-- name: naming
SELECT id, tenant_id, scope, name, cron, timezone, active, event, next_at, revision, tries, last_at, last_event_id,
    last_error, last_error_detail, created_at, updated_at
FROM router.schedules
WHERE tenant_id = $1 AND id > $4 AND ($3::boolean OR position($2::bytea IN event) > 0)
ORDER BY id
LIMIT $5

-- $3: whether its event is for somebody still.
-- name: replace_event
UPDATE router.schedules SET
    event = $2, event_in_hand = $7, active = active AND $3,
    next_at = CASE WHEN $3 THEN next_at END,
    wake_at = CASE WHEN $3 THEN wake_at END,
    revision = CASE WHEN $3 THEN revision ELSE revision + 1 END,
    last_error = CASE WHEN $3 THEN last_error ELSE $4 END,
    last_error_detail = CASE WHEN $3 THEN last_error_detail ELSE $5 END,
    updated_at = 'epoch'::timestamptz + $6::bigint * interval '1 microsecond'
WHERE id = $1
