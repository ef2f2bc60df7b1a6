-- In a transaction of its own: it reads the whole table, and only the ledger's writing waits for it, not its readers.
CREATE INDEX deliveries_destination ON ingest.deliveries (event_id, destination, id) WHERE destination IS NOT NULL;
