"""The layers of VGG19 by name, free of torch."""

from collections.abc import Sequence

# Channels and number of convolutions of each block, which a pooling layer ends (configuration E).
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))

_NUMBERS = [(block, number) for block, (_, count) in enumerate(BLOCKS, 1) for number in [*range(1, count + 1), 0]]

LAYERS = tuple(
    name
    for block, number in _NUMBERS
    for name in ((f"conv{block}_{number}", f"relu{block}_{number}") if number else (f"pool{block}",))
)
"""`conv1_1`, `relu1_1`, ... `pool5`: in the order, and so with the indices, of torchvision's `features`."""


def smallest_side(layers: Sequence[str]) -> int:
    """Shortest side in pixels of an image of which pooling leaves something at all of these layers."""
    last = max(LAYERS.index(layer) for layer in layers)
    return 2 ** sum(layer.startswith("pool") for layer in LAYERS[: last + 1])


def layer_name(layer: str) -> str:
    """The name of a layer that is given by its name or by its index, such as `relu5_1` or `29`.

    Raises:
        ValueError: there is no such layer.
    """
    if layer in LAYERS:
        return layer
    if layer.isdecimal() and int(layer) < len(LAYERS):
        return LAYERS[int(layer)]
    raise ValueError(f"VGG19 has no layer {layer!r}; there are conv1_1, relu1_1, ... pool5, or 0 to {len(LAYERS) - 1}")
