"""Who may do what by the admin API: roles, the table of all routes, and sessions of console users."""
