"""Checkpoint layouts: parameter names of the public TTSR implementations, mapped to ours and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ttsr.models.extractor import IMAGENET_MEAN, IMAGENET_STD

DISCRIMINATOR = "discriminator."
"""Prefix of the discriminator's parameters, in MMagic's files and in checkpoints of our runs.

The rest of their names is the same too: `models.discriminator` is the network of both."""


@dataclass(frozen=True)
class Layout:
    """How a checkpoint names its parameters.

    Attributes:
        name: as on the command line.
        modules: our module names to theirs. No name is a prefix of another, so that each parameter belongs to one pair.
        normalisation: their module that normalizes images for VGG19 by a fixed 1x1 convolution, if there is one.
        ignored: prefixes of names that inference does not need.
    """

    name: str
    modules: Mapping[str, str]
    normalisation: str = ""
    ignored: tuple[str, ...] = ()

    def to_theirs(self, key: str) -> str:
        """Translate our name of a parameter to this layout."""
        theirs = _rename(key, self.modules)
        assert theirs is not None, key
        return theirs

    def to_ours(self, key: str) -> str | None:
        """Translate this layout's name of a parameter to ours; None if it is not part of a TTSR."""
        return _rename(key, {theirs: ours for ours, theirs in self.modules.items()})

    def normalisation_state(self) -> dict[str, Tensor]:
        """The parameters of the fixed normalisation, if the layout has one, under its names."""
        if not self.normalisation:
            return {}
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        return {
            f"{self.normalisation}.weight": torch.diag(1 / std)[:, :, None, None],
            f"{self.normalisation}.bias": -mean / std,
        }


def _rename(key: str, modules: Mapping[str, str]) -> str | None:
    """`key` with its leading module renamed; None if `modules` lacks it."""
    renamed = (new + key[len(old) :] for old, new in modules.items() if key.startswith(f"{old}."))
    return next(renamed, None)


TTSR = Layout(
    "ttsr",
    {"extractor": "extractor", "synthesis": "synthesis", "transfer": "transfer"},
    ignored=(DISCRIMINATOR,),
)
"""The layout of this package; checkpoints of runs have a discriminator too."""

# Names of the modules: ours, the authors', and MMagic's.
_MODULES = (
    ("extractor.conv1_1", "LTE.slice1.0", "extractor.slice1.0"),
    ("extractor.conv1_2", "LTE.slice2.2", "extractor.slice2.2"),
    ("extractor.conv2_1", "LTE.slice2.5", "extractor.slice2.5"),
    ("extractor.conv2_2", "LTE.slice3.7", "extractor.slice3.7"),
    ("extractor.conv3_1", "LTE.slice3.10", "extractor.slice3.10"),
    ("synthesis.shallow.head", "MainNet.SFE.conv_head", "generator.sfe.conv_first"),
    ("synthesis.shallow.chain.blocks", "MainNet.SFE.RBs", "generator.sfe.body"),
    ("synthesis.shallow.chain.tail", "MainNet.SFE.conv_tail", "generator.sfe.conv_last"),
    ("synthesis.attention1.conv", "MainNet.conv11_head", "generator.conv_first1"),
    ("synthesis.chain1.blocks", "MainNet.RB11", "generator.res_block1"),
    ("synthesis.chain1.tail", "MainNet.conv11_tail", "generator.conv_last1"),
    ("synthesis.up2.conv", "MainNet.conv12", "generator.up1.upsample_conv"),
    ("synthesis.attention2.conv", "MainNet.conv22_head", "generator.conv_first2"),
    ("synthesis.integration2.up_1to2.conv", "MainNet.ex12.conv12", "generator.csfi2.conv1to2"),
    ("synthesis.integration2.down_2to1.conv", "MainNet.ex12.conv21", "generator.csfi2.conv2to1"),
    ("synthesis.integration2.merge1", "MainNet.ex12.conv_merge1", "generator.csfi2.conv_merge1"),
    ("synthesis.integration2.merge2", "MainNet.ex12.conv_merge2", "generator.csfi2.conv_merge2"),
    ("synthesis.chain2_1.blocks", "MainNet.RB21", "generator.res_block2_1"),
    ("synthesis.chain2_1.tail", "MainNet.conv21_tail", "generator.conv_last2_1"),
    ("synthesis.chain2_2.blocks", "MainNet.RB22", "generator.res_block2_2"),
    ("synthesis.chain2_2.tail", "MainNet.conv22_tail", "generator.conv_last2_2"),
    ("synthesis.up4.conv", "MainNet.conv23", "generator.up2.upsample_conv"),
    ("synthesis.attention4.conv", "MainNet.conv33_head", "generator.conv_first3"),
    ("synthesis.integration4.up_1to2.conv", "MainNet.ex123.conv12", "generator.csfi3.conv1to2"),
    ("synthesis.integration4.up_1to4.conv", "MainNet.ex123.conv13", "generator.csfi3.conv1to4"),
    ("synthesis.integration4.up_2to4.conv", "MainNet.ex123.conv23", "generator.csfi3.conv2to4"),
    ("synthesis.integration4.down_2to1.conv", "MainNet.ex123.conv21", "generator.csfi3.conv2to1"),
    ("synthesis.integration4.down_4to1.0.conv", "MainNet.ex123.conv31_1", "generator.csfi3.conv4to1_1"),
    ("synthesis.integration4.down_4to1.1.conv", "MainNet.ex123.conv31_2", "generator.csfi3.conv4to1_2"),
    ("synthesis.integration4.down_4to2.conv", "MainNet.ex123.conv32", "generator.csfi3.conv4to2"),
    ("synthesis.integration4.merge1", "MainNet.ex123.conv_merge1", "generator.csfi3.conv_merge1"),
    ("synthesis.integration4.merge2", "MainNet.ex123.conv_merge2", "generator.csfi3.conv_merge2"),
    ("synthesis.integration4.merge4", "MainNet.ex123.conv_merge3", "generator.csfi3.conv_merge4"),
    ("synthesis.chain4_1.blocks", "MainNet.RB31", "generator.res_block3_1"),
    ("synthesis.chain4_1.tail", "MainNet.conv31_tail", "generator.conv_last3_1"),
    ("synthesis.chain4_2.blocks", "MainNet.RB32", "generator.res_block3_2"),
    ("synthesis.chain4_2.tail", "MainNet.conv32_tail", "generator.conv_last3_2"),
    ("synthesis.chain4_4.blocks", "MainNet.RB33", "generator.res_block3_3"),
    ("synthesis.chain4_4.tail", "MainNet.conv33_tail", "generator.conv_last3_3"),
    ("synthesis.merge.up_1to4.conv", "MainNet.merge_tail.conv13", "generator.merge_features.conv1to4"),
    ("synthesis.merge.up_2to4.conv", "MainNet.merge_tail.conv23", "generator.merge_features.conv2to4"),
    ("synthesis.merge.conv", "MainNet.merge_tail.conv_merge", "generator.merge_features.conv_merge"),
    ("synthesis.merge.tail1", "MainNet.merge_tail.conv_tail1", "generator.merge_features.conv_last1"),
    ("synthesis.merge.tail2", "MainNet.merge_tail.conv_tail2", "generator.merge_features.conv_last2"),
)

AUTHORS = Layout(
    "authors",
    {ours: authors for ours, authors, _ in _MODULES},
    normalisation="LTE.sub_mean",
    ignored=("LTE_copy.", "SearchNet.", "SearchTransfer."),
)
"""The authors' `TTSR.pt` and `TTSR-rec.pt` (researchmm/TTSR), and the whole state of their model in training."""

MMAGIC = Layout(
    "mmagic",
    {ours: mmagic for ours, _, mmagic in _MODULES},
    normalisation="extractor.img_normalize",
    ignored=("step_counter", "perceptual_loss.", "extractor_copy.", "data_preprocessor.", DISCRIMINATOR),
)
"""MMEditing 0.x and MMagic 1.x: the `state_dict` in their `.pth`."""

LAYOUTS = {layout.name: layout for layout in (TTSR, AUTHORS, MMAGIC)}
