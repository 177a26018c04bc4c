"""Errors that the user can mend: what is wrong and where, and what to do about it."""


class UserError(ValueError):
    """Bad input. Its text is one line for a person; the command line prints it and exits with code 2.

    Args:
        what: what is wrong, and where: begins with the file or option that it is about.
        remedy: what to do about it, in words that hold in Python as well as at the command line.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


class ImageError(UserError):
    """A picture that cannot be read, understood or written."""


class WeightsError(UserError):
    """A checkpoint that is unknown, unreachable, corrupt, or not a TTSR."""


class DataError(UserError):
    """A data set that is missing, empty or not laid out as expected."""


class RecipeError(UserError):
    """A recipe, or an override of one, that is inconsistent."""
