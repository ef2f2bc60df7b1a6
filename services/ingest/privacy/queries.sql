-- Arguments that are times: Unix microseconds.

-- name: tenant_exists
SELECT EXISTS (SELECT 1 FROM ingest.tenants WHERE id = $1)

-- name: retention
SELECT events_days, payload_days, inbox_days, outbox_days, discard_content FROM ingest.retention WHERE tenant_id = $1

-- name: set_retention
INSERT INTO ingest.retention (tenant_id, events_days, payload_days, inbox_days, outbox_days, discard_content)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id) DO UPDATE SET
    events_days = EXCLUDED.events_days, payload_days = EXCLUDED.payload_days,
    inbox_days = EXCLUDED.inbox_days, outbox_days = EXCLUDED.outbox_days,
    discard_content = EXCLUDED.discard_content, updated_at = now()

-- name: begin_erasure
INSERT INTO ingest.recipient_erasures (id, tenant_id, recipient, erased_at)
VALUES ($1, $2, $3, 'epoch'::timestamptz + $4::bigint * interval '1 microsecond')
ON CONFLICT (tenant_id, recipient) DO UPDATE SET erased_at = EXCLUDED.erased_at
RETURNING id

-- What was sent to these addresses ($2) without a user id until $3 is the person's ($4) from now on; at most $5 rows.
-- name: adopt
WITH found AS (
    SELECT DISTINCT f.event_id, f.destination
    FROM unnest($2::text[]) AS a (address)
    CROSS JOIN LATERAL (
        SELECT r.event_id, r.destination FROM ingest.recipients r
        WHERE hashtextextended(r.addresses ->> 'email', 0) = hashtextextended(a.address, 0)
            AND r.addresses ->> 'email' IS NOT NULL AND r.addresses ->> 'email' = a.address
            AND r.tenant_id = $1 AND r.user_id = ''
        UNION
        SELECT r.event_id, r.destination FROM ingest.recipients r
        WHERE hashtextextended(r.addresses ->> 'sms', 0) = hashtextextended(a.address, 0)
            AND r.addresses ->> 'sms' IS NOT NULL AND r.addresses ->> 'sms' = a.address
            AND r.tenant_id = $1 AND r.user_id = ''
    ) AS f
    JOIN ingest.events e ON e.id = f.event_id
    WHERE e.accepted_at IS NULL OR e.accepted_at <= 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
    LIMIT $5
),
locked AS (
    SELECT r.event_id, r.destination FROM ingest.recipients r
    WHERE (r.event_id, r.destination) IN (SELECT f.event_id, f.destination FROM found f)
    ORDER BY r.event_id, r.destination
    FOR UPDATE
)
UPDATE ingest.recipients r SET user_id = $4
FROM locked l
WHERE r.event_id = l.event_id AND r.destination = l.destination

-- name: erasure
SELECT erased_at FROM ingest.recipient_erasures WHERE id = $1 AND tenant_id = $2

-- Versions before wrote an event's only recipient into ingest.events. $4: also list events with other recipients; few
-- of these at a time, because all attempts of such an event are searched for the person's.
-- name: events_to_erase
SELECT f.id, f.is_shared
FROM (
    SELECT a.id, a.is_shared, row_number() OVER (PARTITION BY a.is_shared ORDER BY a.id) AS place
    FROM (
        SELECT e.id, e.is_shared IS TRUE AS is_shared FROM ingest.events e
        WHERE e.user_id = $2 AND e.tenant_id = $1 AND coalesce(e.accepted_at, $3) <= $3
        UNION
        SELECT e.id, e.is_shared IS TRUE FROM ingest.recipients r JOIN ingest.events e ON e.id = r.event_id
        WHERE r.user_id = $2 AND r.tenant_id = $1 AND coalesce(e.accepted_at, $3) <= $3
    ) AS a
) AS f
WHERE NOT f.is_shared OR ($4 AND f.place <= 10)
ORDER BY f.id
LIMIT 100

-- Erased events with something recorded of the person since shortly before the erasure.
-- name: events_erased_late
SELECT e.id, e.is_shared IS TRUE AS is_shared
FROM (
    SELECT o.id FROM ingest.events o WHERE o.user_id = $2 AND o.tenant_id = $1 AND o.id > $4
    UNION
    SELECT r.event_id FROM ingest.recipients r WHERE r.user_id = $2 AND r.tenant_id = $1 AND r.event_id > $4
) AS f
JOIN ingest.events e ON e.id = f.id
WHERE CASE WHEN e.is_shared IS TRUE THEN $5 AND EXISTS (
        SELECT 1 FROM ingest.deliveries d
        WHERE d.event_id = e.id AND d.destination = $2
            AND (NOT ingest.is_terminal(d.status) OR d.updated_at > $3::timestamptz - interval '2 minutes')
    )
    ELSE e.finished_at IS NULL OR EXISTS (
        SELECT 1 FROM ingest.deliveries d WHERE d.event_id = e.id AND d.updated_at > $3::timestamptz - interval '2 minutes'
    ) END
ORDER BY e.id
LIMIT 100

-- $2: a user id, and the pseudonym of their erasure. $3: null: all.
-- name: deliveries_of_person
SELECT d.id, d.event_id
FROM ingest.recipients r
JOIN ingest.deliveries d ON d.event_id = r.event_id AND d.destination = r.destination
WHERE r.event_id = ANY ($1::uuid[]) AND r.user_id = ANY ($2::text[])
ORDER BY d.event_id, d.id
LIMIT $3

-- How a person is reached in these events.
-- name: addresses_of_person
SELECT DISTINCT a.value
FROM ingest.recipients r
CROSS JOIN LATERAL jsonb_each_text(r.addresses) AS a
WHERE r.event_id = ANY ($1::uuid[]) AND r.user_id = ANY ($2::text[]) AND r.addresses IS NOT NULL

-- Locks the events in the order in which the ledger does, so that the two do not deadlock.
-- name: lock_events
SELECT id, is_shared IS TRUE AS is_shared FROM ingest.events
WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE

-- Of events with one recipient, or with nobody else left, whose own id and trace id belong to the person, too. Empty,
-- not null: if the ledger reads the event again, it fills in nulls only.
-- name: erase_events
UPDATE ingest.events SET caller_event_id = '', trace_id = '',
    metadata = CASE WHEN metadata IS NOT NULL THEN '{}'::jsonb END,
    user_id = CASE WHEN user_id IS NOT NULL THEN $3 END,
    email = CASE WHEN email IS NOT NULL THEN '' END,
    phone = CASE WHEN phone IS NOT NULL THEN '' END
WHERE tenant_id = $1 AND id = ANY ($2::uuid[])

-- $1: events with one recipient; $2: events with several, of which only these people ($3) go, and contacts without an id,
-- who are known otherwise once the event is planned. $4: what stands for the person from now on. Deliveries are locked in
-- the order in which the ledger does.
-- name: erase_recipients
WITH gone AS (
    DELETE FROM ingest.recipients r
    WHERE r.event_id = ANY ($1::uuid[] || $2::uuid[])
        AND (
            r.event_id = ANY ($1::uuid[]) OR r.user_id = ANY ($3::text[])
            OR r.user_id = '' AND r.destination LIKE '#?%'
        )
        AND r.addresses IS NOT NULL
    RETURNING r.event_id, r.destination, r.tenant_id
),
locked AS (
    SELECT d.id FROM ingest.deliveries d
    WHERE (d.event_id, d.destination) IN (SELECT g.event_id, g.destination FROM gone g)
    ORDER BY d.id
    FOR UPDATE
),
moved AS (
    UPDATE ingest.deliveries d SET destination = $4 FROM locked l WHERE d.id = l.id
)
INSERT INTO ingest.recipients (event_id, destination, tenant_id, user_id)
SELECT DISTINCT g.event_id, $4::text, g.tenant_id, $4::text FROM gone g
ON CONFLICT (event_id, destination) DO NOTHING

-- As erase_recipients: $1 events with one recipient, $2 with several, $3 the person. What a step says may hold what the
-- event said of them.
-- name: erase_workflow_steps
UPDATE ingest.workflow_steps s SET destination = $4, detail = ''
WHERE s.event_id = ANY ($1::uuid[] || $2::uuid[]) AND s.destination <> ''
    AND (s.event_id = ANY ($1::uuid[]) OR s.destination = ANY ($3::text[]))

-- In events of theirs, and in those of others in which they are who was not meant.
-- name: erase_conflicts
DELETE FROM ingest.contact_conflicts
WHERE tenant_id = $1 AND (event_id = ANY ($2::uuid[]) AND meant = ANY ($3::text[]) OR other = ANY ($3::text[]))

-- Where replays stand within an event with several recipients. A running one goes on after the recipient before.
-- name: erase_positions
UPDATE ingest.replays r SET position_destination = CASE WHEN r.state = 1 THEN coalesce(
    (
        SELECT max(d.destination) FROM ingest.deliveries d
        WHERE d.event_id = r.position AND d.destination < r.position_destination
    ),
    ''
) END
WHERE r.tenant_id = $1 AND r.position_destination = $2

-- name: erase_payloads
DELETE FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[])

-- name: payload_for_update
SELECT event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = $2 FOR UPDATE

-- name: replace_payload
UPDATE ingest.event_payloads SET event = $3 WHERE tenant_id = $1 AND event_id = $2

-- The provider's text may hold the address, and its message id leads to the message there. What an endpoint answered may
-- repeat what it was sent. $1: all attempts of these events; $2: of these, the attempts of the deliveries $3.
-- name: erase_attempts
UPDATE ingest.attempts a SET detail = '', provider_message_id = '', http_answer = NULL
WHERE a.event_id = ANY ($1::uuid[] || $2::uuid[])
    AND (a.event_id = ANY ($1::uuid[]) OR a.delivery_id = ANY ($3::uuid[]))
    AND (a.detail <> '' OR a.provider_message_id <> '' OR a.http_answer IS NOT NULL)

-- name: erase_dead_letters
DELETE FROM ingest.dead_letters
WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[] || $3::uuid[])
    AND (event_id = ANY ($2::uuid[]) OR delivery_id = ANY ($4::uuid[]))

-- name: payloads
SELECT event_id, event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[])

-- name: dead_letters_of_events
SELECT l.delivery_id, l.event_id, l.tenant_id, l.channel, l.reason, l.detail, l.died_at,
    coalesce(l.endpoint_id, d.endpoint_id) AS endpoint_id, coalesce(l.event_type, e.event_type, '') AS event_type,
    coalesce(l.provider, d.provider, '') AS provider
FROM ingest.dead_letters l
LEFT JOIN ingest.deliveries d ON d.id = l.delivery_id
LEFT JOIN ingest.events e ON e.id = l.event_id
WHERE l.tenant_id = $1 AND l.replayed_at IS NULL AND l.event_id = ANY ($2::uuid[] || $3::uuid[])
    AND (l.event_id = ANY ($2::uuid[]) OR l.delivery_id = ANY ($4::uuid[]))

-- Retention. An event's id begins with its time in milliseconds, so the oldest come first in the index.

-- name: lock_retention
SELECT pg_try_advisory_xact_lock(hashtext('ingest.retention'))

-- Finished events past their tenant's days: up to $2 of each tenant, $3 in all. $1: the default in days. Skips locked
-- events, which may be about to be reopened or get another row.
-- name: expired_events
SELECT e.id
FROM ingest.tenants t
LEFT JOIN ingest.retention r ON r.tenant_id = t.id
CROSS JOIN LATERAL (
    SELECT o.id FROM ingest.events o
    WHERE o.tenant_id = t.id AND o.finished_at IS NOT NULL
        AND o.id < (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint
            - 86400000::bigint * coalesce(nullif(r.events_days, 0), $1)), 12, '0') || repeat('0', 20))::uuid
    ORDER BY o.id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) AS e
LIMIT $3

-- name: delete_events
WITH attempts AS (DELETE FROM ingest.attempts WHERE event_id = ANY ($1::uuid[])),
dead_letters AS (DELETE FROM ingest.dead_letters WHERE event_id = ANY ($1::uuid[])),
deliveries AS (DELETE FROM ingest.deliveries WHERE event_id = ANY ($1::uuid[])),
recipients AS (DELETE FROM ingest.recipients WHERE event_id = ANY ($1::uuid[])),
workflow_counts AS (DELETE FROM ingest.workflow_counts WHERE event_id = ANY ($1::uuid[])),
workflow_steps AS (DELETE FROM ingest.workflow_steps WHERE event_id = ANY ($1::uuid[])),
conflicts AS (DELETE FROM ingest.contact_conflicts WHERE event_id = ANY ($1::uuid[])),
counts AS (DELETE FROM ingest.event_counts WHERE event_id = ANY ($1::uuid[])),
payloads AS (
    DELETE FROM ingest.event_payloads p USING ingest.events e
    WHERE e.id = ANY ($1::uuid[]) AND p.tenant_id = e.tenant_id AND p.event_id = e.id
)
DELETE FROM ingest.events WHERE id = ANY ($1::uuid[])

-- As expired_events. Not of unfinished events, whose deliveries may refer to the payload. What endpoints answered to it
-- goes with it. Returns the number of payloads.
-- name: delete_expired_payloads
WITH gone AS (
DELETE FROM ingest.event_payloads d
USING (
    SELECT p.tenant_id, p.event_id
    FROM ingest.tenants t
    LEFT JOIN ingest.retention r ON r.tenant_id = t.id
    CROSS JOIN LATERAL (
        SELECT o.tenant_id, o.event_id FROM ingest.event_payloads o
        WHERE o.tenant_id = t.id
            AND o.event_id < (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint
                - 86400000::bigint * coalesce(nullif(r.payload_days, 0), $1)), 12, '0') || repeat('0', 20))::uuid
            AND NOT EXISTS (SELECT 1 FROM ingest.events e WHERE e.id = o.event_id AND e.finished_at IS NULL)
        ORDER BY o.event_id
        LIMIT $2
    ) AS p
    LIMIT $3
) AS old
WHERE d.tenant_id = old.tenant_id AND d.event_id = old.event_id
RETURNING d.event_id
),
answers AS (
    UPDATE ingest.attempts a SET http_answer = NULL FROM gone g WHERE a.event_id = g.event_id AND a.http_answer IS NOT NULL
)
SELECT count(*) FROM gone

-- After a week, but not while an event of the tenant from before the erasure is unfinished: it may wait for its time, and
-- its recipients are then read for the first time. Nor while there are records that only a later version can read: any of
-- them may name the person.
-- name: forget_erasures
WITH oldest AS (
    SELECT DISTINCT ON (e.tenant_id) e.tenant_id, e.id
    FROM ingest.events e WHERE e.finished_at IS NULL
    ORDER BY e.tenant_id, e.id
)
DELETE FROM ingest.recipient_erasures WHERE id IN (
    SELECT x.id FROM ingest.recipient_erasures x
    LEFT JOIN oldest o ON o.tenant_id = x.tenant_id
    WHERE x.erased_at < now() - interval '7 days'
        AND NOT EXISTS (SELECT 1 FROM ingest.unknown_records)
        AND (o.id IS NULL OR o.id > (
            lpad(to_hex((extract(epoch FROM x.erased_at) * 1000)::bigint), 12, '0') || repeat('f', 20)
        )::uuid)
    LIMIT 1000
)
RETURNING tenant_id, recipient

-- name: forget_unknown
DELETE FROM ingest.unknown_records WHERE id IN (
    SELECT id FROM ingest.unknown_records WHERE stored_at < now() - interval '90 days' LIMIT 1000
)

-- name: forget_replays
DELETE FROM ingest.replays WHERE id IN (
    SELECT id FROM ingest.replays WHERE finished_at < now() - interval '90 days' LIMIT 1000
)

-- Erasures that an earlier version stored without a key.
-- name: unkeyed
SELECT id, tenant_id, recipient, erased_at FROM ingest.erasures ORDER BY id

-- name: copy_unkeyed
INSERT INTO ingest.recipient_erasures AS e (id, tenant_id, recipient, erased_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, recipient) DO UPDATE SET erased_at = EXCLUDED.erased_at WHERE e.erased_at < EXCLUDED.erased_at

-- name: remove_unkeyed
TRUNCATE ingest.erasures

-- $1: seconds after an erasure; $2: seconds after the files were closed. No row: another process has locked it.
-- name: clearing
SELECT c.until, c.sequences, c.closed_at <= now() - $2::float8 * interval '1 second' AS is_late_enough,
    greatest(
        (
            SELECT max(e.erased_at) FROM ingest.recipient_erasures e
            WHERE e.erased_at > c.cleared_until AND e.erased_at <= now() - $1::float8 * interval '1 second'
        ),
        -- Once more two hours after the migration, because processes of the earlier version may have written until
        -- then.
        CASE
            WHEN c.cleared_until < c.made_at + interval '2 hours' AND c.made_at + interval '2 hours' < now()
            THEN c.made_at + interval '2 hours'
        END
    ) AS due
FROM ingest.clearing c
FOR UPDATE SKIP LOCKED

-- name: begin_clearing
UPDATE ingest.clearing SET until = $1, closed_at = now(), sequences = $2::text::jsonb

-- name: go_on_clearing
UPDATE ingest.clearing SET sequences = $1::text::jsonb

-- name: end_clearing
UPDATE ingest.clearing SET cleared_until = until, until = NULL, closed_at = NULL, sequences = NULL

-- Deletes providers' texts and message ids that were recorded after the erasure, for all erasures until $1.
-- name: erase_late_words
WITH people AS (
    SELECT x.tenant_id, 'erased:' || x.id AS pseudonym
    FROM ingest.clearing c JOIN ingest.recipient_erasures x ON x.erased_at > c.cleared_until AND x.erased_at <= $1
),
-- A null delivery: all deliveries of the event are the person's.
theirs AS (
    SELECT e.id AS event_id, NULL::uuid AS delivery_id
    FROM people p JOIN ingest.events e ON e.user_id = p.pseudonym AND e.tenant_id = p.tenant_id
    UNION
    SELECT e.id, NULL
    FROM people p
    JOIN ingest.recipients r ON r.user_id = p.pseudonym AND r.tenant_id = p.tenant_id
    JOIN ingest.events e ON e.id = r.event_id AND e.is_shared IS NOT TRUE
    UNION
    SELECT d.event_id, d.id
    FROM people p
    JOIN ingest.recipients r ON r.user_id = p.pseudonym AND r.tenant_id = p.tenant_id
    JOIN ingest.deliveries d ON d.event_id = r.event_id AND d.destination = r.destination
)
UPDATE ingest.attempts a SET detail = '', provider_message_id = '', http_answer = NULL
FROM theirs t
WHERE a.event_id = t.event_id AND (t.delivery_id IS NULL OR a.delivery_id = t.delivery_id)
    AND (a.detail <> '' OR a.provider_message_id <> '' OR a.http_answer IS NOT NULL)
