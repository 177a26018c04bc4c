"""Errors that are the user's to mend: one line that says what, where and how."""


class UserError(ValueError):
    """Bad input. Its text is one line for a person; the command line prints it and leaves with exit code 2."""


class ImageError(UserError):
    """A picture that cannot be read, understood or written."""


class WeightsError(UserError):
    """A checkpoint that is unknown, unreachable, corrupt, or not a TTSR."""


class DataError(UserError):
    """A data set that is missing, empty or not laid out as expected."""


class RecipeError(UserError):
    """A recipe, or an override of one, that does not hold together."""
