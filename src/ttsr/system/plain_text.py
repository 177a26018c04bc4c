"""Text that a terminal shows and does not obey, whatever the names in it hold."""

import re

# Control characters, ends of lines, and the marks that turn the direction of writing.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text on one line: what would not show is spelled out, a line feed as a backslash and an n."""
    return _UNSHOWN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
