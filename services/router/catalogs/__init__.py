"""What a tenant's endpoints are organized by: event types, environments, applications."""
