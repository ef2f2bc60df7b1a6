"""What was sent, stored with each attempt. See README.md here."""
