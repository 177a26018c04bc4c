import pytest
import torch

from ttsr.errors import UserError
from ttsr.inference import plan as planning
from ttsr.inference.plan import LARGEST_BLOCK, SMALLEST_BLOCK, fixed_bytes, make_plan, multiply_adds_per_s
from ttsr.models.config import TTSRConfig

CPU = torch.device("cpu")
SMALL = TTSRConfig(channels=32, num_blocks=(8, 8, 4, 2), extractor_channels=(32, 64, 128))


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed and memory."""
    monkeypatch.setattr(planning, "multiply_adds_per_s", lambda *_: 1e10)
    monkeypatch.setattr(planning, "available_bytes", lambda _: 8 * 10**9)
    monkeypatch.setattr(planning, "used_bytes", lambda _: 3 * 10**8)


@pytest.mark.usefixtures("steady")
def test_more_work_takes_longer() -> None:
    def seconds(lr: tuple[int, int], kept: list[tuple[int, int]], new: list[tuple[int, int]]) -> float:
        return make_plan(SMALL, lr, kept, new, device=CPU).seconds

    base = seconds((80, 125), [], [(80, 125)])
    assert 1 < base < 20
    assert seconds((80, 125), [(80, 125)], []) < base
    assert seconds((80, 125), [(80, 125)], [(80, 125)]) > base
    assert seconds((160, 250), [], [(80, 125)]) > 2 * base
    # Four times the queries against four times the keys: the search alone is sixteen times as long.
    assert seconds((320, 500), [], [(320, 500)]) > 20 * base


@pytest.mark.usefixtures("steady")
def test_a_large_picture_is_planned_below_its_memory_target() -> None:
    plan = make_plan(SMALL, (300, 300), [], [(300, 300)], device=CPU)
    assert 3 * 10**8 < plan.memory_bytes < 3 * 10**9
    assert plan.block_bytes == LARGEST_BLOCK["cpu"]


@pytest.mark.usefixtures("steady")
def test_blocks_shrink_to_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = fixed_bytes(SMALL, (300, 300), [], [(300, 300)], 4, 0)
    monkeypatch.setattr(planning, "available_bytes", lambda _: fixed * 5 // 4 + 2 * 10**8)
    plan = make_plan(SMALL, (300, 300), [], [(300, 300)], device=CPU)
    assert SMALLEST_BLOCK < plan.block_bytes < LARGEST_BLOCK["cpu"]

    monkeypatch.setattr(planning, "available_bytes", lambda _: fixed + 5 * SMALLEST_BLOCK)
    assert make_plan(SMALL, (300, 300), [], [(300, 300)], device=CPU).block_bytes == SMALLEST_BLOCK

    monkeypatch.setattr(planning, "available_bytes", lambda _: fixed)
    with pytest.raises(UserError, match=r"needs about \d+\.\d GB .* are free: take a smaller picture"):
        make_plan(SMALL, (300, 300), [], [(300, 300)], device=CPU)


def test_half_precision_needs_less() -> None:
    whole = fixed_bytes(SMALL, (80, 125), [], [(80, 125)], 4, 0)
    assert fixed_bytes(SMALL, (80, 125), [], [(80, 125)], 2, 0) < 0.7 * whole


def test_the_speed_is_measured() -> None:
    assert 1e7 < multiply_adds_per_s(CPU, "fp32", 8) < 1e14
