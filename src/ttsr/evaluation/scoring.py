"""A model scored on a test set in the layout of CUFED5, with bicubic as the baseline; processes can share the work."""

from collections.abc import Sequence

import torch

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.evaluation.preflight import check_test_set
from ttsr.evaluation.protocols import MMAGIC_RGB, PAPER_Y, Protocol
from ttsr.evaluation.scored_picture import OnPicture, PictureScore, score_picture
from ttsr.inference.matching_choices import MatchingChoices, choose_matching
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress


def evaluate(
    model: TTSR,
    groups: Sequence[Group],
    *,
    references: Sequence[ReferenceChoice] = ("1",),
    protocols: Sequence[Protocol] = (PAPER_Y, MMAGIC_RGB),
    device: str | torch.device | None = None,
    matching: MatchingChoices | None = None,
    on_picture: OnPicture | None = None,
    share: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> list[PictureScore]:
    """Super-resolve the downscaled ground truth of each group, and score the result.

    The ground truth is cropped to multiples of 4 and downscaled by Pillow's bicubic, in 8 bits. The network runs once
    for each way in which the protocols bring references to size. The model returns to its device and mode.

    Args:
        model: the network.
        groups: from `ttsr.data.list_groups`; all of them in every process.
        references: each a number (a group without it uses its last reference, see `PictureScore.substituted`); "all"
            at once; "stacked" to one picture as for the paper's 27.09, whatever the protocol; "lr" for the LR itself
            (the paper's row "LR"); "none" for no textures; or "unrelated": the first reference of the group half the
            test set away (neighbours in a test set often show the same scene).
        protocols: how to score; `on_picture` is given the images of the first one.
        device: where to compute; by default where the model is.
        matching: how references are fitted and matched, from `ttsr.inference.matching_choices.choose_matching`; by
            default what `auto` stands for.
        on_picture: called with the scores and images after each picture and choice of references.
        share: (rank, count) of this process: it scores every `count`-th group, from number `rank` on. The scores of
            all processes, in any order, make the same report as those of a single process.
        progress: updated after each picture and choice of references.

    Raises:
        DataError: a group has no reference at all, or "unrelated" is requested with fewer than two groups.
        ImageError: a ground truth is unreadable or too small to score, or a reference is no picture or smaller than
            4x4: all checked before the first forward pass. A reference with damaged pixels behind a valid header
            raises when its turn comes.
        UserError: a picture does not fit into memory.
    """
    progress, matching = progress or Progress(), matching or choose_matching(model.config)
    chosen = check_test_set(groups, references, protocols)
    home, was_training = next(model.parameters()).device, model.training
    numbers = range(share[0], len(groups), share[1])
    scores = []
    try:
        model.to(device or home).eval()
        for number in numbers:
            for reference, choices in chosen.items():
                group, files = groups[number], choices[number]
                score, images = score_picture(model, number, group, reference, files, protocols, matching)
                scores.append(score)
                if on_picture is not None:
                    on_picture(score, images)
                progress.update(len(scores) / (len(numbers) * len(chosen)))
    finally:
        model.to(home).train(was_training)
    return scores
