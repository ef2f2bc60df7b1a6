"""The customers of a tenant, who manage endpoints in the portal."""
