from dataclasses import replace

import pytest
import torch

from ttsr.errors import UserError
from ttsr.inference import plan as planning
from ttsr.inference.calibration import seconds_per_unit
from ttsr.inference.plan import LARGEST_BLOCK, Plan, encoding_block_bytes, make_plan
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.types import Grid
from ttsr.models.cost import Cost
from ttsr.models.reach import synthesis_reach
from ttsr.models.tiles import smallest_tile_cells

CPU = torch.device("cpu")
SMALL = TTSRConfig(channels=32, num_blocks=(8, 8, 4, 2), extractor_channels=(32, 64, 128))
GB = 10**9


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed and memory: 20 GB free, and 0.3 held by this process."""
    monkeypatch.setattr(planning, "seconds_per_unit", lambda *_: dict.fromkeys(Cost.__dataclass_fields__, 1e-10))
    monkeypatch.setattr(planning, "available_bytes", lambda _: 20 * GB)
    monkeypatch.setattr(planning, "used_bytes", lambda _: 3 * 10**8)


def plan(lr: Grid, kept: list[Grid], new: list[Grid], max_memory: int | None = None) -> Plan:
    return make_plan(SMALL, lr, kept, new, device=CPU, matcher=COHERENT, max_memory=max_memory)


def test_more_work_takes_longer() -> None:
    def seconds(lr: Grid, kept: list[Grid], new: list[Grid]) -> float:
        return make_plan(SMALL, lr, kept, new, device=CPU).seconds

    base = seconds((80, 125), [], [(80, 125)])
    assert 1 < base < 20
    assert seconds((80, 125), [(80, 125)], []) < base
    assert seconds((80, 125), [(80, 125)], [(80, 125)]) > base
    assert seconds((160, 250), [], [(80, 125)]) > 2 * base
    # Four times the queries against four times the keys: the search alone is sixteen times as long.
    assert seconds((320, 500), [], [(320, 500)]) > 20 * base


def test_stages_add_up() -> None:
    found = plan((160, 250), [], [(160, 250)])
    assert list(found.stages) == list(Cost.__dataclass_fields__)
    assert sum(found.stages.values()) == pytest.approx(found.seconds)


def test_a_large_picture_is_planned_below_its_memory_target() -> None:
    found = plan((300, 300), [], [(300, 300)])
    assert 3 * 10**8 < found.memory_bytes < 3 * GB
    assert found.block_bytes == LARGEST_BLOCK["cpu"]
    assert found.keep_references and not found.half_features


def test_what_is_given_up_as_memory_gets_short() -> None:
    """First that references stay encoded, then large blocks, then 32 bits; time grows, the limit holds."""
    limits = [12 * GB, 4 * GB, int(2.8 * GB), int(2.1 * GB)]
    found = [plan((750, 1000), [], [(750, 1000)], limit) for limit in limits]
    assert [p.keep_references for p in found] == [True, False, False, False]
    assert [p.half_features for p in found][:2] == [False, False] and found[-1].half_features
    assert all(p.memory_bytes <= limit for p, limit in zip(found, limits, strict=True))
    blocks = [p.block_bytes for p in found]
    assert blocks[0] == blocks[1] == LARGEST_BLOCK["cpu"] and blocks == sorted(blocks, reverse=True)


def test_too_little_says_the_least_that_would_do() -> None:
    with pytest.raises(UserError, match=r"at least (\d+\.\d) GB of memory, more than the 1\.0 GB") as caught:
        plan((750, 1000), [], [(750, 1000)], GB)
    least = float(str(caught.value).split("at least ")[1].split(" GB")[0])
    found = plan((750, 1000), [], [(750, 1000)], int((least + 0.1) * GB))
    reach = synthesis_reach(SMALL)
    assert found.half_features and found.block_bytes > smallest_tile_cells((750, 1000), reach.fine)
    with pytest.raises(UserError):
        plan((750, 1000), [], [(750, 1000)], int((least - 0.1) * GB))


def test_without_a_limit_a_share_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda _: GB)
    with pytest.raises(UserError, match=r"at least \d+\.\d GB of memory, and 1\.1 GB may be used"):
        plan((1000, 2000), [], [(750, 1000)])


def test_a_limit_beyond_what_is_free_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda _: GB)
    with pytest.raises(UserError, match=r"more than the 1\.3 GB"):
        plan((1000, 2000), [], [(750, 1000)], 64 * GB)


def test_references_are_kept_where_there_is_room() -> None:
    assert encoding_block_bytes(SMALL, [(750, 1000)], device=CPU) == LARGEST_BLOCK["cpu"]
    assert encoding_block_bytes(SMALL, [(750, 1000)], device=CPU, max_memory=4 * GB) is None


def test_half_precision_needs_less() -> None:
    whole, half = (
        make_plan(SMALL, (80, 125), [], [(400, 500)], device=CPU, precision=precision).memory_bytes
        for precision in ("fp32", "bf16")
    )
    assert half < 0.85 * whole


@pytest.mark.parametrize("refinement_radius", [0, 2])
def test_the_speed_of_each_stage_is_measured(refinement_radius: int) -> None:
    config = TTSRConfig(4, (1, 1, 1, 1), (4, 4, 8), refinement_radius=refinement_radius)
    rates = seconds_per_unit(config, CPU, "fp32", COHERENT)
    assert list(rates) == list(Cost.__dataclass_fields__)
    for name, rate in rates.items():
        assert (1e-14 < rate < 1e-6) or (name == "refinement" and not refinement_radius), name
    assert seconds_per_unit(replace(config), CPU, "fp32", COHERENT) is rates
