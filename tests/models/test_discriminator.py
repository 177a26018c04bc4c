import json
from pathlib import Path

import pytest
import torch

from ttsr.models.discriminator import Discriminator

KEYS = Path(__file__).parents[1] / "golden" / "checkpoint_keys.json"


def test_is_the_published_one_by_its_names_and_shapes():
    published = {
        key.removeprefix("discriminator."): tuple(shape)
        for key, shape in json.loads(KEYS.read_text())["mmagic"].items()
        if key.startswith("discriminator.")
    }
    with torch.device("meta"):
        state = Discriminator(160).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == published


@pytest.mark.parametrize(("size", "side"), [(1, 1), (5, 1), (33, 2), (63, 2), (65, 3), (97, 4)])
def test_judges_crops_of_any_size_it_is_built_for(size, side):
    network = Discriminator(size, 2)
    image = torch.zeros(2, 3, size, size)
    assert network.body(image).shape == (2, 32, side, side)
    assert network(image).shape == (2, 1)


def test_slopes_by_a_fifth_below_zero():
    """A weight of -1 everywhere makes of a white 3x3 image -27 at its centre."""
    network = Discriminator(3, 1)
    with torch.no_grad():
        network.get_parameter("body.0.weight").fill_(-1)
        network.get_parameter("body.0.bias").zero_()
    out = network.body[:2](torch.ones(1, 3, 3, 3))
    assert out[0, 0, 1, 1].item() == pytest.approx(-27 * 0.2)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 3, 40, 32), (1, 1, 40, 40)])
def test_another_size_is_refused_with_both(shape):
    with pytest.raises(ValueError, match=r"built for \(B, 3, 40, 40\) cannot judge \(1, ") as caught:
        Discriminator(40, 1)(torch.zeros(shape))
    assert str(shape) in str(caught.value)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="0x0 cannot be built"):
        Discriminator(0)
