import pytest

from ttsr.progress import Cancelled, Progress


def test_parts_report_their_share_of_the_whole():
    seen: list[tuple[float, str]] = []
    whole = Progress(lambda fraction, stage: seen.append((fraction, stage)))
    part = whole.part(0.5, 1.0, "search")
    part.update(0.5)
    part.part(0.5, 1.0).update(1.0, "transfer")
    assert seen == [(0.75, "search"), (1.0, "transfer")]


def test_a_part_ends_where_the_next_begins():
    """To the last bit: 0.33 + (0.91 - 0.33) is more than 0.91."""
    seen: list[float] = []
    whole = Progress(lambda fraction, _: seen.append(fraction))
    whole.part(0.33, 0.91).update(1.0)
    whole.part(0.91, 1.0).update(0.0)
    assert seen == [0.91, 0.91]


def test_cancelling_the_whole_cancels_its_parts_and_a_part_the_whole():
    for outer in (True, False):
        whole = Progress()
        part = whole.part(0, 0.5)
        (whole if outer else part).cancel()
        assert whole.is_cancelled and part.is_cancelled
        for progress in (whole, part):
            with pytest.raises(Cancelled):
                progress.update(0.1)
