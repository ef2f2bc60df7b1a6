"""The environments of a tenant: their ids are the scopes of events and endpoints."""
