"""Messages without a workflow: e-mails, text messages and one-time codes."""
