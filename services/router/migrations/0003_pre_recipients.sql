-- The people that tenants store.
CREATE TABLE router.recipients (
    tenant_id uuid NOT NULL,
    -- UUIDv7: a recipient that was created later sorts later.
    id uuid NOT NULL,
    -- The tenant's own id of them.
    recipient_id text NOT NULL,
    -- The addresses in the form that messages are sent to (services/domain/addresses.py); empty: unknown, as below.
    email text NOT NULL,
    phone text NOT NULL,
    name text NOT NULL,
    locale text NOT NULL,
    timezone text NOT NULL,
    -- A JSON object as the tenant wrote it. jsonb would write 1e300 with 300 digits.
    data json NOT NULL,
    tags text[] NOT NULL,
    -- clarion.common.v1.Channel
    muted_channels smallint[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- Pages over all recipients of a tenant follow it.
    PRIMARY KEY (tenant_id, id),
    -- Not (tenant_id, recipient_id): without statistics PostgreSQL may read all of a tenant by it, and sort.
    UNIQUE (recipient_id, tenant_id)
);

CREATE INDEX recipients_by_email ON router.recipients (tenant_id, lower(email), id) WHERE email <> '';
CREATE INDEX recipients_by_phone ON router.recipients (tenant_id, phone, id) WHERE phone <> '';

-- recipients.tags, one row for each tag: pages over a tag follow its primary key. An index of the array would hold the
-- tags of all tenants together, and give them in no order.
CREATE TABLE router.recipient_tags (
    tenant_id uuid NOT NULL,
    tag text NOT NULL,
    -- recipients.id
    member_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, tag, member_id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES router.recipients (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX recipient_tags_of_member ON router.recipient_tags (tenant_id, member_id);

CREATE TABLE router.groups (
    tenant_id uuid NOT NULL,
    -- UUIDv7: a group that was created later sorts later.
    id uuid NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    -- The number of its rows in group_members.
    members bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- From then on it does not exist for anybody; its rows are deleted in small batches.
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX groups_by_key ON router.groups (tenant_id, key) WHERE deleted_at IS NULL;
CREATE INDEX groups_deleted ON router.groups (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE router.group_members (
    tenant_id uuid NOT NULL,
    -- groups.id
    group_id uuid NOT NULL,
    -- recipients.id
    member_id uuid NOT NULL,
    -- Pages over a group follow it.
    PRIMARY KEY (group_id, member_id),
    -- A group has members of its own tenant only.
    FOREIGN KEY (tenant_id, group_id) REFERENCES router.groups (tenant_id, id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES router.recipients (tenant_id, id)
);

CREATE INDEX group_members_of_member ON router.group_members (tenant_id, member_id, group_id);

-- How many recipients and groups a tenant has: counting a million rows would take too long.
CREATE TABLE router.recipient_counts (
    tenant_id uuid PRIMARY KEY,
    recipients bigint NOT NULL,
    groups bigint NOT NULL
);
