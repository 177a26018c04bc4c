"""Ways to compute one picture against the plain one, every two choices together; and that one's definition."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from numerics import Scene, Way, selection, tolerance

from ttsr.images.picture import to_tensor
from ttsr.images.resize import blur_by_resize, upscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.models import textbook
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene("aloe", (160, 80, 240, 152))


@pytest.mark.parametrize("way", selection(compiled=False), ids=lambda way: "-".join(map(str, astuple(way))))
def test_each_way_gives_nearly_what_the_plain_one_gives(scene: Scene, way: Way) -> None:
    found = scene.deviation(way)
    assert found.within(tolerance(way)), found


@pytest.mark.parametrize("bicubic_skip", [False, True])
def test_the_plain_way_is_the_textbook_form(monkeypatch: pytest.MonkeyPatch, scene: Scene, bicubic_skip: bool) -> None:
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(8, (1, 1, 1, 1), (8, 8, 16), bicubic_skip=bicubic_skip)).eval()
    upscaler = Upscaler(model, device="cpu", precision="fp32", search="exact", pose="off", match_colour="off")
    references = scene.references[:1]  # the second one is a part of it: all its cells would tie
    result = upscaler.upscale(scene.lr, upscaler.encode_references(references))
    lr, up, *refs = (to_tensor(image) for image in (scene.lr, upscale4(scene.lr), *references))
    blurred = [to_tensor(blur_by_resize(reference)) for reference in references]
    with torch.inference_mode():
        best = textbook.forward(model, lr, up, refs, blurred).relevance
        # Of keys that are alike to the last bits either may win: ours are as good, and the rest follows from them.
        ours = best, torch.from_numpy(result.matches)[None]
        monkeypatch.setattr(textbook, "search", lambda *_: ours)
        expected = textbook.forward(model, lr, up, refs, blurred)
    np.testing.assert_allclose(result.relevance, best[0, 0].numpy(), atol=1e-5)
    assert np.abs(result.picture.rgb - 255 * expected.sr[0].permute(1, 2, 0).numpy()).max() < 0.5 + 255e-4
