import pytest

from ttsr.system.plain_text import plain


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a b  c.png", "a b  c.png"),
        ("Zürich 東京 خانه\u200cها 👨\u200d👩\u200d👧.png", "Zürich 東京 خانه\u200cها 👨\u200d👩\u200d👧.png"),
        ("a\nttsr: done", "a\\nttsr: done"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("\r\t\x00\x7f\x9b\u2028", "\\r\\t\\x00\\x7f\\x9b\\u2028"),
        ("\u202egnp.exe\u2066\u200f", "\\u202egnp.exe\\u2066\\u200f"),
    ],
)
def test_what_a_terminal_obeys_is_spelled_out(text: str, shown: str) -> None:
    assert plain(text) == shown
