"""What became of events and messages: triggers, and their executions."""
