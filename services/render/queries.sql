-- name: lock_event_type
SELECT pg_advisory_xact_lock(hashtext('render.templates'), hashtext($1 || '/' || $2));

-- name: insert_template
INSERT INTO render.templates (id, tenant_id, event_type, channel, version, subject, body, push_namespace)
SELECT $1, $2, $3, $4::smallint, coalesce(max(version), 0) + 1, $5, $6, $7
  FROM render.templates
 WHERE tenant_id = $2 AND event_type = $3 AND channel = $4::smallint
RETURNING id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at;

-- name: get_template
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at
  FROM render.templates
 WHERE id = $1;

-- name: has_template
SELECT EXISTS (SELECT FROM render.templates WHERE tenant_id = $1 AND event_type = $2 AND channel = $3::smallint);

-- name: find_sources
SELECT id, channel, subject, body
  FROM render.templates
 WHERE id = ANY($1::text[]);

-- name: deactivate_others
UPDATE render.templates
   SET active = false
 WHERE tenant_id = $1 AND event_type = $2 AND channel = $3::smallint AND active AND id <> $4;

-- name: set_active
UPDATE render.templates
   SET active = $2
 WHERE id = $1
RETURNING id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at;

-- name: list_active
SELECT tenant_id, channel, id, push_namespace
  FROM render.templates
 WHERE tenant_id = ANY($1::text[]) AND event_type = $2 AND active
 ORDER BY channel;

-- name: list_templates
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at
  FROM render.templates
 WHERE ($1::text = '' OR tenant_id = $1)
   AND ($2::text = '' OR event_type = $2)
   AND (active OR NOT $3::boolean)
   AND ($4::text = '' OR id < $4)
 ORDER BY id DESC
 LIMIT $5;
