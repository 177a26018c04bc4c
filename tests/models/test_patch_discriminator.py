import pytest
import torch

from ttsr.models.patch_discriminator import PATCH, PatchDiscriminator


@pytest.mark.parametrize("size", [(12, 12), (40, 61), (96, 96)])
def test_judges_images_of_any_size_patch_by_patch(size: tuple[int, int]) -> None:
    height, width = size
    logits = PatchDiscriminator(2)(torch.zeros(2, 3, height, width))
    assert logits.shape == (2, 1, height // 4 - 2, width // 4 - 2)


def test_a_logit_sees_its_patch_and_nothing_else() -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 3, 96, 96, requires_grad=True)
    PatchDiscriminator(4)(image)[0, 0, 11, 11].backward()
    assert image.grad is not None
    rows, columns = image.grad.abs().sum((0, 1)).nonzero().unbind(1)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (PATCH, PATCH)


def test_weights_are_normalised_to_a_largest_singular_value_of_one() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(7)
    for _ in range(200):  # one step of the power iteration each
        network(torch.zeros(1, 3, 12, 12))
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 4
    for convolution in convolutions:
        largest = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item()
        assert largest == pytest.approx(1, abs=1e-3)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(RuntimeError):
        PatchDiscriminator(2)(torch.zeros(1, 3, 11, 40))
