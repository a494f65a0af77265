"""What a check answers instead of a value."""

from __future__ import annotations


class RefusedError(ValueError):
    """A value is not allowed; `allowed` says what would be, `why` what is wrong beyond that.

    `choices` are the words to guess from what may have been meant.
    """

    def __init__(self, allowed: str, why: str = "", choices: tuple[str, ...] = ()) -> None:
        self.allowed = allowed
        self.why = why
        self.choices = choices
        super().__init__(allowed)
