"""What can go wrong for a person who starts the stack."""


class StackError(Exception):
    """The stack cannot start or go on; the text is one sentence that says why and what to do."""
