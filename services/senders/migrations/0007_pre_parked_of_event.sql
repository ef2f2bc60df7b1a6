-- For erasures: the ids of an event's deliveries begin with the event's time.
CREATE INDEX parked_of_event ON senders.parked (delivery_id);
