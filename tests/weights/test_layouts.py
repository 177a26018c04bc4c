"""Our names against the names and shapes of the published checkpoints."""

import json
from pathlib import Path

import pytest
import torch

from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import AUTHORS, LAYOUTS, MMAGIC, Layout

PUBLISHED = json.loads((Path(__file__).parents[1] / "golden" / "checkpoint_keys.json").read_text())


@pytest.mark.parametrize(("layout", "file"), [(AUTHORS, "researchmm_TTSR.pt"), (MMAGIC, "mmagic")])
def test_full_network_has_exactly_the_published_names_and_shapes(layout: Layout, file: str) -> None:
    with torch.device("meta"):
        model = TTSR()
    ours = {layout.to_theirs(key): list(value.shape) for key, value in model.state_dict().items()}
    ours |= {key: list(value.shape) for key, value in layout.normalisation_state().items()}
    theirs = {key: shape for key, shape in PUBLISHED[file].items() if not key.startswith(layout.ignored)}
    assert ours == theirs


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_there_and_back(layout: Layout, small: TTSR) -> None:
    for key in small.state_dict():
        assert layout.to_ours(layout.to_theirs(key)) == key


@pytest.mark.parametrize("layout", [AUTHORS, MMAGIC], ids=lambda layout: layout.name)
def test_normalisation_is_that_of_our_extractor(layout: Layout, small: TTSR) -> None:
    image = torch.rand(1, 3, 5, 6)
    weight, bias = layout.normalisation_state().values()
    expected = small.extractor.normalise(image)
    torch.testing.assert_close(torch.nn.functional.conv2d(image, weight, bias), expected)


@pytest.mark.parametrize("key", ["step_counter", "MainNet.RB1.0.conv1.weight", "MainNet.conv111_head.weight", ""])
def test_foreign_names_are_not_taken(key: str) -> None:
    assert AUTHORS.to_ours(key) is None
    assert MMAGIC.to_ours(key) is None
