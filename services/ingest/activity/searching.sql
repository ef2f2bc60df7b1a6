-- What somebody looks for by an id: by indexes only. Each kind reads at most 5,000 rows; a user id is looked for among the
-- newest events that have it. $1: what was typed. $2, $3: the ids that begin so; null: none does.
-- $4: of these tenants; null: of all. $5: at most so many of each kind.
-- name: search
SELECT f.kind, f.id, f.tenant_id, t.name AS tenant_name, f.title, f.detail, f.at, f.event_id, f.channel
FROM (
    (
        SELECT 'event' AS kind, e.id::text AS id, e.tenant_id, e.event_type AS title, '' AS detail, e.accepted_at AS at,
            e.id AS event_id, NULL::smallint AS channel
        FROM (
            (
                SELECT o.* FROM ingest.events o
                WHERE $4::uuid[] IS NULL AND o.id >= $2::uuid AND o.id <= $3::uuid
                ORDER BY o.id DESC LIMIT 5000
            )
            UNION ALL
            SELECT f.*
            FROM unnest($4::uuid[]) AS w (id)
            CROSS JOIN LATERAL (
                SELECT o.* FROM ingest.events o
                WHERE o.tenant_id = w.id AND o.id >= $2::uuid AND o.id <= $3::uuid
                ORDER BY o.id DESC LIMIT $5
            ) AS f
        ) AS e
        WHERE e.accepted_at IS NOT NULL
        ORDER BY e.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT 'event', e.id::text, e.tenant_id, e.event_type, 'caller''s id ' || e.caller_event_id, e.accepted_at, e.id,
            NULL::smallint
        FROM (
            SELECT o.* FROM ingest.events o WHERE o.caller_event_id = $1 AND o.caller_event_id <> '' LIMIT 5000
        ) AS e
        WHERE e.accepted_at IS NOT NULL AND ($4::uuid[] IS NULL OR e.tenant_id = ANY ($4))
        ORDER BY e.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT 'event', e.id::text, e.tenant_id, e.event_type, 'trace id ' || e.trace_id, e.accepted_at, e.id,
            NULL::smallint
        FROM (
            SELECT o.* FROM ingest.events o
            WHERE hashtextextended(o.trace_id, 0) = hashtextextended($1, 0) AND o.trace_id = $1 AND o.trace_id <> ''
            LIMIT 5000
        ) AS e
        WHERE e.accepted_at IS NOT NULL AND ($4::uuid[] IS NULL OR e.tenant_id = ANY ($4))
        ORDER BY e.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT 'delivery', d.id::text, d.tenant_id, e.event_type, '', d.updated_at, d.event_id, d.channel
        FROM ingest.deliveries d
        LEFT JOIN ingest.events e ON e.id = d.event_id
        WHERE d.id >= $2::uuid AND d.id <= $3::uuid AND ($4::uuid[] IS NULL OR d.tenant_id = ANY ($4))
        ORDER BY d.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT DISTINCT 'recipient', $1, r.tenant_id, '', '', NULL::timestamptz, NULL::uuid, NULL::smallint
        FROM (
            SELECT o.tenant_id, o.destination FROM ingest.recipients o
            WHERE o.user_id = $1
            ORDER BY o.event_id DESC LIMIT 5000
        ) AS r
        WHERE r.destination NOT LIKE '#-%' AND ($4::uuid[] IS NULL OR r.tenant_id = ANY ($4))
        LIMIT $5
    )
    UNION ALL
    (
        SELECT DISTINCT ON (r.tenant_id, r.user_id) 'recipient', r.user_id, r.tenant_id, $1, 'address', NULL::timestamptz,
            NULL::uuid, NULL::smallint
        FROM (
            (
                SELECT o.user_id, o.tenant_id FROM ingest.recipients o
                WHERE hashtextextended(o.addresses ->> 'email', 0) = hashtextextended($1, 0)
                    AND o.addresses ->> 'email' = $1
                ORDER BY o.event_id DESC LIMIT 5000
            )
            UNION ALL
            (
                SELECT o.user_id, o.tenant_id FROM ingest.recipients o
                WHERE hashtextextended(o.addresses ->> 'sms', 0) = hashtextextended($1, 0)
                    AND o.addresses ->> 'sms' = $1
                ORDER BY o.event_id DESC LIMIT 5000
            )
        ) AS r
        WHERE r.user_id <> '' AND ($4::uuid[] IS NULL OR r.tenant_id = ANY ($4))
        LIMIT $5
    )
    UNION ALL
    (
        SELECT 'tenant', n.id::text, n.id, n.name, CASE WHEN n.active THEN '' ELSE 'inactive' END, n.created_at,
            NULL::uuid, NULL::smallint
        FROM ingest.tenants n
        WHERE (n.id >= $2::uuid AND n.id <= $3::uuid OR lower(n.name) LIKE $6)
            AND ($4::uuid[] IS NULL OR n.id = ANY ($4))
        ORDER BY n.id DESC LIMIT $5
    )
    UNION ALL
    (
        SELECT 'api_key', coalesce(k.id::text, ''), k.tenant_id, k.name, 'ends with ' || k.last4, k.created_at, NULL::uuid, NULL::smallint
        FROM ingest.api_keys k
        WHERE (k.last4 = $1 OR k.id >= $2::uuid AND k.id <= $3::uuid) AND ($4::uuid[] IS NULL OR k.tenant_id = ANY ($4))
        ORDER BY k.created_at DESC LIMIT $5
    )
) AS f
LEFT JOIN ingest.tenants t ON t.id = f.tenant_id
