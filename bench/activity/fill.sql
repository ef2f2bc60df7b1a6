-- Events $1 to $2 of $3, of 20 tenants, over the last 30 days. Of a hundred events: 90 mails, 60 of which also an SMS; 6 %
-- of the SMS failed in one of five ways, 2 % of the mails bounced, 5 events have no template. $4: skewed: the first
-- tenant has 99 % of the events, the last one only the 50 oldest, and these have a type, a provider and a reason of their
-- own; else the first tenant has half.

-- The indexes to drop before the rows are written and to build afterwards. That is faster than to update them with each
-- row.
-- name: indexes
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
WHERE i.indrelid = ANY (ARRAY['ingest.events', 'ingest.recipients', 'ingest.deliveries']::regclass[]) AND NOT i.indisunique

-- name: tenants
INSERT INTO ingest.accounts (id, name) VALUES ('00000000-0000-7000-8000-000000000000', 'Bench');
INSERT INTO ingest.tenants (id, account_id, name)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-7000-8000-000000000000', 'Tenant ' || n
FROM generate_series(1, 20) AS n

-- name: events
WITH made AS (
    SELECT n,
        (lpad(to_hex(((extract(epoch FROM now()) - 2592000.0 * ($3::float8 - n) / $3) * 1000)::bigint), 12, '0')
            || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
        ('00000000-0000-7000-8000-' || lpad((
            CASE WHEN NOT $4::boolean THEN CASE WHEN n % 2 = 0 THEN 1 ELSE 2 + n / 2 % 19 END
                WHEN n <= 50 THEN 20 WHEN n % 100 = 0 THEN 2 + n / 100 % 18 ELSE 1 END
        )::text, 12, '0'))::uuid AS tenant_id,
        now() - interval '30 days' * (($3::float8 - n) / $3) AS at,
        $4 AND n <= 50 AS is_old
    FROM generate_series($1::bigint, $2::bigint) AS n
),
e AS (
    INSERT INTO ingest.events (
        id, tenant_id, event_type, caller_event_id, trace_id, accepted_at, routed_at, route_us, route_reason, total,
        finished_at, size
    )
    SELECT id, tenant_id, CASE WHEN is_old THEN 'type.old' ELSE 'type.' || n % 40 END, 'order-' || n, md5('trace' || n), at, at, 500,
        CASE WHEN n % 20 = 19 THEN 'no_active_template' ELSE '' END,
        CASE WHEN n % 20 = 19 THEN 0 WHEN n % 10 < 6 THEN 2 ELSE 1 END, at, 1000
    FROM made
),
r AS (
    INSERT INTO ingest.recipients (event_id, destination, tenant_id, user_id, addresses)
    SELECT id, 'u' || n % 50000, tenant_id, 'u' || n % 50000,
        jsonb_build_object('email', 'u' || n % 50000 || '@example.org', 'sms', '+25471' || lpad((n % 50000)::text, 7, '0'))
    FROM made
)
INSERT INTO ingest.deliveries (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay, updated_at
)
SELECT md5('d' || m.n || c.channel)::uuid, m.id, m.tenant_id, c.channel,
    CASE WHEN m.is_old THEN 7 WHEN c.channel = 2 AND m.n % 100 < 6 THEN 6 WHEN c.channel = 1 AND m.n % 50 = 1 THEN 8 ELSE 4 END,
    CASE WHEN m.is_old THEN 'old_reason' WHEN c.channel = 2 AND m.n % 100 < 6
        THEN (ARRAY['provider_timeout', 'recipient_refused', 'message_refused', 'provider_quota', 'provider_error'])[m.n % 5 + 1]
        WHEN c.channel = 1 AND m.n % 50 = 1 THEN 'hard_bounce' ELSE '' END,
    CASE WHEN m.is_old THEN 'old' WHEN c.channel = 1 THEN 'smtp' ELSE 'twilio' END, 1, 0, m.at + interval '1 millisecond' * (20 + m.n % 400)
FROM made m
CROSS JOIN LATERAL (VALUES (1), (2)) AS c (channel)
WHERE m.n % 20 <> 19 AND (c.channel = 1 OR m.n % 10 < 6)
