-- name: lock_tenant
SELECT pg_advisory_xact_lock(hashtext('render.samples'), hashtext($1));

-- name: count_samples
SELECT count(*) AS of_tenant, count(*) FILTER (WHERE event_type = $2) AS of_event_type
  FROM render.samples
 WHERE tenant_id = $1;

-- name: insert_sample
INSERT INTO render.samples (id, tenant_id, event_type, name, variables)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, tenant_id, event_type, name, variables, created_at, updated_at;

-- name: update_sample
UPDATE render.samples SET name = $3, variables = $4, updated_at = now()
 WHERE id = $1 AND tenant_id = $2
RETURNING id, tenant_id, event_type, name, variables, created_at, updated_at;

-- name: get_sample
SELECT id, tenant_id, event_type, name, variables, created_at, updated_at
  FROM render.samples
 WHERE id = $1 AND tenant_id = $2;

-- name: delete_sample
DELETE FROM render.samples WHERE id = $1 AND tenant_id = $2 RETURNING id;

-- $3: the last one of the page before.
-- name: list_samples
SELECT s.id, s.tenant_id, s.event_type, s.name, s.variables, s.created_at, s.updated_at
  FROM render.samples s
 WHERE s.tenant_id = $1 AND ($2::text = '' OR s.event_type = $2)
   AND ($3::text = '' OR (s.event_type, s.name) > (
        SELECT l.event_type, l.name FROM render.samples l WHERE l.id = $3))
 ORDER BY s.event_type, s.name
 LIMIT $4;
