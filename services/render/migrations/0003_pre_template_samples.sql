-- Sample data for previews and test sends.
CREATE TABLE render.samples (
    id text PRIMARY KEY,
    -- Empty: the platform's, for its own templates.
    tenant_id text NOT NULL,
    event_type text NOT NULL,
    name text NOT NULL,
    -- A JSON object as it was written, at most 64 KiB. Not json: nothing in PostgreSQL looks into it.
    variables text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, event_type, name)
);

-- The list of templates reads one row per language, in this order.
CREATE INDEX templates_languages ON render.templates (tenant_id, event_type, channel, locale, version DESC);
-- The active templates that use a layout or partial.
CREATE INDEX templates_parts ON render.templates USING gin (part_ids) WHERE active;
