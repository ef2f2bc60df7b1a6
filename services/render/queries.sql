-- name: lock_event_type
SELECT pg_advisory_xact_lock(hashtext('render.templates'), hashtext($1 || '/' || $2));

-- name: insert_template
INSERT INTO render.templates (
    id, tenant_id, event_type, channel, version, subject, body, push_namespace,
    locale, preheader, layout, part_ids, subscribed
)
SELECT $1, $2, $3, $4::smallint, coalesce(max(version), 0) + 1, $5, $6, $7, $8, $9, $10, $11::text[], $12::boolean
  FROM render.templates
 WHERE tenant_id = $2 AND event_type = $3 AND channel = $4::smallint;

-- name: get_template
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at,
       locale, preheader, layout, part_ids, subscribed, activated_at
  FROM render.templates
 WHERE id = $1;

-- name: has_template
SELECT EXISTS (SELECT FROM render.templates WHERE tenant_id = $1 AND event_type = $2 AND channel = $3::smallint);

-- name: find_sources
SELECT id, channel, subject, body, preheader, locale, part_ids
  FROM render.templates
 WHERE id = ANY($1::text[]);

-- name: find_parts
SELECT id, kind, name, version, body
  FROM render.parts
 WHERE id = ANY($1::text[]);

-- name: name_parts
SELECT id, kind, name, version
  FROM render.parts
 WHERE id = ANY($1::text[]);

-- name: deactivate_others
UPDATE render.templates
   SET active = false
 WHERE tenant_id = $1 AND event_type = $2 AND channel = $3::smallint AND locale = $4 AND active AND id <> $5;

-- name: set_active
UPDATE render.templates
   SET active = $2, activated_at = CASE WHEN $2 AND NOT active THEN now() ELSE activated_at END
 WHERE id = $1;

-- name: list_active
SELECT tenant_id, channel, id, push_namespace, locale, subscribed
  FROM render.templates
 WHERE tenant_id = ANY($1::text[]) AND event_type = $2 AND active
 ORDER BY channel, locale;

-- name: find_version
SELECT tenant_id, channel, id, push_namespace, locale, subscribed
  FROM render.templates
 WHERE tenant_id = $1 AND event_type = $2 AND channel = $3 AND version = $4;

-- $1: tenants, "" is the platform; empty: all.
-- name: list_templates
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at,
       locale, preheader, layout, part_ids, subscribed, activated_at
  FROM render.templates
 WHERE (cardinality($1::text[]) = 0 OR tenant_id = ANY($1::text[]))
   AND ($2::text = '' OR event_type = $2)
   AND (active OR NOT $3::boolean)
   AND ($4::text = '' OR id < $4)
   AND ($5::smallint = 0 OR channel = $5)
   AND ($6::text IS NULL OR locale = $6)
 ORDER BY id DESC
 LIMIT $7;

-- Layouts and partials.

-- name: lock_part
SELECT pg_advisory_xact_lock(hashtext('render.parts'), hashtext($1 || '/' || $2));

-- name: insert_part
INSERT INTO render.parts (id, tenant_id, kind, name, version, body)
SELECT $1, $2, $3::smallint, $4, coalesce(max(version), 0) + 1, $5
  FROM render.parts
 WHERE tenant_id = $2 AND kind = $3::smallint AND name = $4
RETURNING id, tenant_id, kind, name, version, body, created_at;

-- name: get_part
SELECT id, tenant_id, kind, name, version, body, created_at
  FROM render.parts
 WHERE id = $1;

-- The tenant's own come before the platform's.
-- name: newest_parts
SELECT DISTINCT ON (name) id, tenant_id, kind, name, version, body, created_at
  FROM render.parts
 WHERE tenant_id IN ($1, '') AND kind = $2::smallint AND name = ANY($3::text[])
 ORDER BY name, tenant_id DESC, version DESC;

-- $1: as in list_templates.
-- name: list_parts
SELECT p.id, p.tenant_id, p.kind, p.name, p.version, p.body, p.created_at
  FROM render.parts p
 WHERE (cardinality($1::text[]) = 0 OR p.tenant_id = ANY($1::text[]))
   AND ($2::smallint = 0 OR p.kind = $2)
   AND ($3::text = '' OR p.name = $3)
   AND (NOT $4::boolean OR NOT EXISTS (
        SELECT FROM render.parts n
         WHERE n.tenant_id = p.tenant_id AND n.kind = p.kind AND n.name = p.name AND n.version > p.version))
   AND ($5::text = '' OR p.id < $5)
 ORDER BY p.id DESC
 LIMIT $6;

-- Active templates with a version of this part that is not its newest, or with the platform's in place of a tenant's.
-- name: users_of_part
SELECT DISTINCT t.id
  FROM render.parts p
  JOIN render.templates t ON t.active AND p.id = ANY(t.part_ids)
 WHERE p.kind = $2::smallint AND p.name = $3 AND t.id > $4
   AND (
        p.tenant_id = $1 AND EXISTS (
            SELECT FROM render.parts n
             WHERE n.tenant_id = p.tenant_id AND n.kind = p.kind AND n.name = p.name AND n.version > p.version)
        OR p.tenant_id = '' AND t.tenant_id = $1 AND $1 <> ''
   )
 ORDER BY t.id
 LIMIT $5;

-- Locales.

-- name: get_locale
SELECT locale FROM render.locales WHERE tenant_id = $1;

-- name: set_locale
INSERT INTO render.locales (tenant_id, locale) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET locale = EXCLUDED.locale;

-- What the author of a new version may not know: the newest version of the same locale.
-- name: newest_of_locale
SELECT id, version
  FROM render.templates
 WHERE tenant_id = $1 AND event_type = $2 AND channel = $3::smallint AND locale = $4
 ORDER BY version DESC
 LIMIT 1;

-- name: newest_part
SELECT id, tenant_id, kind, name, version, body, created_at
  FROM render.parts
 WHERE tenant_id = $1 AND kind = $2::smallint AND name = $3
 ORDER BY version DESC
 LIMIT 1;

-- $1: tenants, "" is the platform; empty: all. $5: any version of the last language of the page before.
-- name: list_languages
SELECT n.id, n.tenant_id, n.event_type, n.channel, n.locale, n.version, n.subject, n.created_at,
       a.id AS active_id, a.version AS active_version, a.activated_at
  FROM (
        SELECT DISTINCT ON (t.tenant_id, t.event_type, t.channel, t.locale)
               t.id, t.tenant_id, t.event_type, t.channel, t.locale, t.version, t.subject, t.created_at
          FROM render.templates t
         WHERE (cardinality($1::text[]) = 0 OR t.tenant_id = ANY($1::text[]))
           AND ($2::text = '' OR strpos(lower(t.event_type), lower($2::text)) > 0)
           AND ($3::smallint = 0 OR t.channel = $3)
           AND (NOT $4::boolean OR EXISTS (
                SELECT FROM render.templates o
                 WHERE o.active AND o.tenant_id = t.tenant_id AND o.event_type = t.event_type
                   AND o.channel = t.channel AND o.locale = t.locale))
           AND ($5::text = '' OR (t.tenant_id, t.event_type, t.channel, t.locale) > (
                SELECT l.tenant_id, l.event_type, l.channel, l.locale FROM render.templates l WHERE l.id = $5))
         ORDER BY t.tenant_id, t.event_type, t.channel, t.locale, t.version DESC
         LIMIT $6
       ) AS n
  LEFT JOIN render.templates a
    ON a.active AND a.tenant_id = n.tenant_id AND a.event_type = n.event_type
   AND a.channel = n.channel AND a.locale = n.locale
 ORDER BY n.tenant_id, n.event_type, n.channel, n.locale;

-- Active templates that use any version of a part, or the platform's in place of a tenant's own.
-- name: list_users
SELECT t.id, t.tenant_id, t.event_type, t.channel, t.locale, t.version, p.version AS part_version,
       p.tenant_id = $1 AND NOT EXISTS (
            SELECT FROM render.parts n
             WHERE n.tenant_id = p.tenant_id AND n.kind = p.kind AND n.name = p.name AND n.version > p.version
       ) AS is_current
  FROM render.parts p
  JOIN render.templates t ON t.active AND t.part_ids @> ARRAY[p.id]
 WHERE p.kind = $2::smallint AND p.name = $3 AND t.id > $4
   AND (p.tenant_id = $1 OR p.tenant_id = '' AND t.tenant_id = $1 AND $1 <> '')
 ORDER BY t.id
 LIMIT $5;
-- Versions by their ids. $1: what was typed. $2, $3: the ids that begin so; null: none does. $4: of these tenants, and of
-- the platform; null: of all.
-- name: search_templates
SELECT 'template' AS kind, t.id, t.tenant_id, t.event_type AS title,
    'version ' || t.version || CASE WHEN t.active THEN ', active' ELSE '' END AS detail, t.created_at AS at,
    NULL::uuid AS event_id, t.channel
FROM render.templates t
WHERE t.id >= $2::text AND t.id <= $3::text AND ($4::text[] IS NULL OR t.tenant_id = '' OR t.tenant_id = ANY ($4))
    AND $1::text IS NOT NULL
ORDER BY t.id DESC
LIMIT $5
