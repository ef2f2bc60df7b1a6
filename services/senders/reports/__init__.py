"""What becomes of messages after they were sent: providers' delivery reports, and recipients who unsubscribe."""
