-- Locales: one active version for each of (tenant, event type, channel, locale).
-- A process of the previous version activates for all locales at once, which these rows allow as well.
ALTER TABLE render.templates
    -- Empty: for all that no other version is for.
    ADD COLUMN locale text NOT NULL DEFAULT '',
    ADD COLUMN preheader text NOT NULL DEFAULT '',
    -- A layout's name; empty: none.
    ADD COLUMN layout text NOT NULL DEFAULT '',
    -- The versions of layout and partials that it is rendered with, for ever: ids of render.parts.
    ADD COLUMN part_ids text[] NOT NULL DEFAULT '{}',
    ADD COLUMN activated_at timestamptz,
    -- E-mail that its reader has subscribed to, and may unsubscribe from.
    ADD COLUMN subscribed boolean NOT NULL DEFAULT false;

DROP INDEX render.templates_active;
CREATE UNIQUE INDEX templates_active ON render.templates (tenant_id, event_type, channel, locale) WHERE active;

-- Layouts and partials. One row per version; a version never changes.
CREATE TABLE render.parts (
    -- UUIDv7: a later version sorts later.
    id text PRIMARY KEY,
    -- Empty: the platform's, for every tenant that has none of this name.
    tenant_id text NOT NULL,
    -- clarion.render.v1.PartKind: 1 layout, 2 partial.
    kind smallint NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, kind, name, version)
);

CREATE INDEX parts_of_tenant ON render.parts (tenant_id, id);

-- The language a tenant's templates fall back to.
CREATE TABLE render.locales (
    tenant_id text PRIMARY KEY,
    locale text NOT NULL
);
