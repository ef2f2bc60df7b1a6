-- What the configuration bucket holds of render's tables: the keys, a page at a time; then values.

-- $4: the event types whose platform templates are published.
-- name: event_types
SELECT DISTINCT tenant_id, event_type
  FROM render.templates
 WHERE active AND (tenant_id, event_type) > ($1, $2)
   AND (tenant_id <> '' OR event_type = ANY ($4::text[]))
 ORDER BY tenant_id, event_type
 LIMIT $3;

-- name: active
SELECT t.tenant_id, t.event_type, t.channel, t.id, t.push_namespace, t.locale, t.subscribed
  FROM unnest($1::text[], $2::text[]) AS item (tenant_id, event_type)
  JOIN render.templates t ON t.tenant_id = item.tenant_id AND t.event_type = item.event_type
 WHERE t.active
 ORDER BY t.tenant_id, t.event_type, t.channel, t.locale;

-- name: version_ids
SELECT id FROM render.templates WHERE id > $1 ORDER BY id LIMIT $2;

-- name: versions
SELECT id, channel, subject, body, preheader, locale, part_ids
  FROM render.templates
 WHERE id = ANY ($1::text[]);

-- name: parts
SELECT id, kind, name, version, body
  FROM render.parts
 WHERE id = ANY ($1::text[]);

-- name: locale_ids
SELECT tenant_id FROM render.locales WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2;

-- name: locales
SELECT tenant_id, locale FROM render.locales WHERE tenant_id = ANY ($1::text[]);
