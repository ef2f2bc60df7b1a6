-- For the erasure of a recipient: what providers took of an event.
CREATE INDEX sent_of_event ON senders.sent (event_id);
