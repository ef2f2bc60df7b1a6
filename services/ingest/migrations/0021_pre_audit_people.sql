-- Who an actor was when the entry was written: the e-mail address of a console user.
ALTER TABLE ingest.audit ADD COLUMN actor_email text NOT NULL DEFAULT '';
CREATE INDEX audit_actor ON ingest.audit (actor, id);
CREATE INDEX audit_actor_email ON ingest.audit (lower(actor_email), id) WHERE actor_email <> '';
