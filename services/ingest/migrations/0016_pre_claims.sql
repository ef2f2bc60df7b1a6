-- Which copy of a delivery may be sent, of those that workers met when the broker could have forgotten its id.

CREATE TABLE ingest.claims (
    delivery_id uuid NOT NULL,
    replay smallint NOT NULL,
    -- The copy: the message of DELIVERIES that it came as, "DELIVERIES.17".
    token text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, replay)
);
CREATE INDEX claims_claimed ON ingest.claims (claimed_at);
