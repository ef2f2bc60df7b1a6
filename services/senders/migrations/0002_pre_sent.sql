-- Which message of ours a provider's id names, for the provider's later word about it.
CREATE TABLE senders.sent (
    provider_id text NOT NULL,
    message_id text NOT NULL,
    tenant_id text NOT NULL,
    event_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    -- clarion.common.v1.Channel: 1 e-mail, 2 SMS.
    channel smallint NOT NULL,
    attempt smallint NOT NULL,
    replay smallint NOT NULL,
    -- Address or number as it was given to the provider.
    recipient text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider_id, message_id)
);

CREATE INDEX sent_by_age ON senders.sent (sent_at);

ALTER TABLE senders.providers ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
