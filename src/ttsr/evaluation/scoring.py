"""A model scored on a test set in the CUFED5 layout, bicubic beside it; several processes can share the work."""

from collections.abc import Sequence

import torch

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.evaluation.preflight import check_reference, check_truth
from ttsr.evaluation.protocols import MMAGIC_RGB, PAPER_Y, Protocol
from ttsr.evaluation.reference_choice import Chosen, choose
from ttsr.evaluation.scored_picture import OnPicture, PictureScore, score_picture
from ttsr.evaluation.ssim import scikit_image_ssim
from ttsr.models.ttsr import TTSR

DEFAULT_PROTOCOLS = (PAPER_Y, MMAGIC_RGB)


def evaluate(
    model: TTSR,
    groups: Sequence[Group],
    *,
    references: Sequence[ReferenceChoice] = ("1",),
    protocols: Sequence[Protocol] = DEFAULT_PROTOCOLS,
    device: str | torch.device | None = None,
    on_picture: OnPicture | None = None,
    share: tuple[int, int] = (0, 1),
) -> list[PictureScore]:
    """Super-resolve each group's truth from its quarter, and score the result.

    The truth is cut to multiples of 4; the LR is its quarter by Pillow's bicubic, in 8 bits. The protocols say what
    becomes of the references; the network runs once for each way in which they do. The model comes back on the
    device and in the mode that it was in.

    Args:
        model: the network.
        groups: of `ttsr.data.cufed5.list_groups`; all of them in every process.
        references: each a number (a group without it is given its last one, and `PictureScore.substituted` tells);
            "all" at once; "stacked" to one picture as for the paper's 27.09, whatever the protocol; "lr" for the LR
            itself (the paper's "LR" row); "none" for no texture at all; or "unrelated": the first reference of the
            group half the set away (neighbours in a test set often show one scene).
        protocols: how to score; pictures are shown as the first one has them.
        device: where to compute; where the model is, if None.
        on_picture: called after each picture and reference.
        share: (rank, count) of this process: it scores every `count`-th group from number `rank` on. Scores of all
            processes, in any order, make one `ttsr.evaluation.report.Report`, that of a process alone.

    Raises:
        DataError: a group has no reference at all, or "unrelated" is asked of fewer than two groups.
        ImageError: a truth cannot be read or is too small to score, or a reference is no picture or has less than 4
            pixels a side: all found before the first forward pass. A reference whose header is well and whose pixels
            are not is found at its turn.
        UserError: scikit-image is not installed, or a picture does not fit into memory.
    """
    scikit_image_ssim()
    chosen: list[tuple[ReferenceChoice, list[Chosen]]] = [(name, choose(groups, name)) for name in references]
    for group in groups:
        check_truth(group.hr, protocols)
    for path in dict.fromkeys(path for _, all_files in chosen for files in all_files for path in files.files):
        check_reference(path)
    home, was_training = next(model.parameters()).device, model.training
    scores = []
    try:
        model.to(device or home).eval()
        for number in range(share[0], len(groups), share[1]):
            for reference, files in chosen:
                score, shown = score_picture(model, number, groups[number], reference, files[number], protocols)
                scores.append(score)
                if on_picture is not None:
                    on_picture(score, shown)
    finally:
        model.to(home).train(was_training)
    return scores
