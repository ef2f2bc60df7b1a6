"""One-time codes: CodeService, its rules and its table."""
