"""The error for users of the stack."""


class StackError(Exception):
    """The stack cannot start or continue. The text says in one sentence why, and what to do."""
