"""The one error that a user is meant to read."""


class UserError(Exception):
    """Something that the user can mend.

    ``str(error)`` says what was found and what is allowed; ``hint`` says what to type next.
    ``exit_code`` is 2 for bad input and 1 for a failure while running.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code
