"""The subcommands that use the admin API: one module each, with an `app` or a function."""
