-- For retention: a tenant's oldest notifications.
CREATE INDEX inbox_age ON realtime.inbox (tenant_id, created_at);
