-- What is sent for next_at if the event was changed after a router had begun to work on that time; null: event.
ALTER TABLE router.schedules ADD COLUMN event_in_hand bytea;
