-- How much a tenant has stored here: counters, because counting the rows would take too long. Of what a tenant has at most a
-- thousand the rows are counted.

-- name: usage
SELECT
    coalesce(r.recipients, 0) AS recipients,
    coalesce(r.groups, 0) AS groups,
    coalesce(e.endpoints, 0) AS endpoints,
    coalesce(e.event_types, 0) AS event_types,
    coalesce(e.applications, 0) AS applications,
    coalesce(e.subscriptions, 0) AS subscriptions,
    (SELECT count(*) FROM router.workflows w WHERE w.tenant_id = $1) AS workflows,
    (SELECT count(*) FROM router.segments s WHERE s.tenant_id = $1) AS segments,
    (SELECT count(*) FROM router.schedules s WHERE s.tenant_id = $1) AS schedules
FROM (SELECT 1) AS one
LEFT JOIN router.recipient_counts r ON r.tenant_id = $1
LEFT JOIN router.endpoint_counts e ON e.tenant_id = $1
