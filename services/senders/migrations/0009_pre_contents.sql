-- What was sent, by attempt; see services/senders/contents. Ids of deliveries begin with the time of their event, so the
-- oldest of a tenant come first in the key, and those of an event stand together.
CREATE TABLE senders.contents (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    replay integer NOT NULL,
    attempt integer NOT NULL,
    event_id uuid NOT NULL,
    -- clarion.common.v1.Channel.
    channel smallint NOT NULL,
    captured_at timestamptz NOT NULL,
    -- 0: as it is; 1: zlib.
    packing smallint NOT NULL,
    -- clarion.senders.v1.StoredContent.
    content bytea NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, replay, attempt)
);

-- PostgreSQL would try to compress once more what is compressed.
ALTER TABLE senders.contents ALTER COLUMN content SET STORAGE EXTERNAL;
