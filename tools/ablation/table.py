"""The scores of an ablation, and its page: our rows beside those of the paper."""

from dataclasses import dataclass

from ablation.networks import VARIANTS

# Yang et al., CVPR 2020, tables 2 and 3: PSNR (dB) and SSIM on CUFED5, as usually cited. The last row is not theirs.
PAPER = {
    "base": (26.34, 0.780),
    "hard": (26.59, 0.786),
    "soft": (26.81, 0.795),
    "trained": (26.92, 0.797),
    "csfi": (27.09, 0.804),
}

_HEAD = (
    "row",
    "parameters",
    "ours: PSNR, SSIM",
    "over bicubic",
    "over the row before",
    "better on",
    "the paper\\*: PSNR, SSIM",
    "over the row before",
)


@dataclass(frozen=True)
class RowScore:
    """The scores of a row on a test set, by `paper-y`, with reference 1.

    Attributes:
        name: of its `Variant`.
        num_parameters: of its network.
        psnr: mean, in dB.
        ssim: mean.
        bicubic_psnr: mean of bicubic, in dB.
        bicubic_ssim: mean of bicubic.
        pictures: PSNR of each picture, in dB, by name.
        notes: what a reader of the means has to know.
        seconds: training time.
    """

    name: str
    num_parameters: int
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float
    pictures: dict[str, float]
    notes: list[str]
    seconds: float


@dataclass(frozen=True)
class Ablation:
    """All rows, in the order of `VARIANTS`, and their common settings.

    Attributes:
        recipe: name of the recipe that the rows' recipes are derived from.
        seed: of all runs.
        contrastive_steps: length of the extractor's run.
        steps: length of a row's run.
        batch_size: pairs per step.
        crop: side of the HR crops, in pixels.
        rows: the scores.
    """

    recipe: str
    seed: int
    contrastive_steps: int
    steps: int
    batch_size: int
    crop: int
    rows: tuple[RowScore, ...]


def page(ablation: Ablation) -> str:
    """Write the page in Markdown."""
    first = ablation.rows[0]
    bicubic = _scores(first.bicubic_psnr, first.bicubic_ssim, 4)
    notes = "".join(f"{note}.\n" for note in dict.fromkeys(note for row in ablation.rows for note in row.notes))
    return f"""# Ablation

What each part of the network contributes: the rows of tables 2 and 3 of the paper, and one for the additions of this
project, each trained from the start for a short time and scored by the code of `ttsr evaluate`. Written by

    make ablation TRAIN=PHOTOS DEV=TEST

which resumes if it was stopped. The PSNR of every picture is in [results.json](../tools/ablation/results.json).

{_table(ablation)}
Ours: {len(first.pictures)} pictures, `paper-y`, reference 1; bicubic has {bicubic}. The paper: CUFED5, `paper-y`, five
references stacked, the published sizes. "Over the row before" is a difference in PSNR, "better on" the number of
pictures with a larger PSNR than in the row before.
{notes}
\\* As usually cited; not checked again against the paper's tables for this list.

## How the rows were trained

With the sizes, losses, learning rates and pairs of the recipe `{ablation.recipe}`, seed {ablation.seed}:
{ablation.steps} steps of {ablation.batch_size} pairs, crops of {ablation.crop} px. All rows see the same pairs, and the
parts that they share have the same initial weights. The learning rate falls over the second half. Each row adds one
thing:

1. **no transfer**: nothing of the reference is used, in training or in scoring.
2. **hard attention**: the textures of each cell's best match are added with weight 1, at all three scales.
3. **soft attention**: they are weighted by S, the relevance of the match (equation 8).
4. **trained extractor**: it is trained too, with all losses of the recipe; in the rows before, it keeps its initial
   weights.
5. **CSFI**: the scales exchange features (section 3.2). In the rows before, one path leads from the 1x features to the
   2x and the 4x features, and from these alone to the image, without the residual chains that only feed the exchange.
6. **match refinement and confidence**: not in the paper. Matches move by up to two pixels to where the ZNCC with the
   reference is largest, and the soft attention learns how reliable a match is.

The fixed extractor of the paper is VGG19. Ours was trained by the contrastive loss alone for
{ablation.contrastive_steps} steps, and is the initial one of rows 2 to 6. It counts among their parameters, trained or
not.

## How to read it

The table shows in which direction each part moves a small network early in its training, on other photographs than
the paper's. It is a single seed: where "better on" is near half of the pictures, the difference is not significant. A
part with more parameters may need more steps than these to show its benefit.
"""


def _table(ablation: Ablation) -> str:
    lines = [_HEAD, ("---",) * len(_HEAD)]
    before: RowScore | None = None
    for variant, row in zip(VARIANTS, ablation.rows, strict=True):
        paper, paper_before = PAPER.get(variant.name), before and PAPER.get(before.name)
        over = ("", "")
        if before is not None:
            over = (_over(row.psnr, before.psnr), f"{num_better(row, before)} of {len(row.pictures)}")
        lines.append(
            (
                variant.label,
                f"{row.num_parameters / 1e6:.3f} M",
                _scores(row.psnr, row.ssim, 4),
                _over(row.psnr, row.bicubic_psnr),
                *over,
                _scores(*paper, 3) if paper else "",
                _over(paper[0], paper_before[0]) if paper and paper_before else "",
            )
        )
        before = row
    return "".join("|" + "".join(f" {cell} |" for cell in cells) + "\n" for cells in lines)


def num_better(row: RowScore, other: RowScore) -> int:
    """Count the pictures on which a row has a larger PSNR than another."""
    return sum(psnr > other.pictures[name] for name, psnr in row.pictures.items())


def _scores(psnr: float, ssim: float, digits: int) -> str:
    return f"{psnr:.2f} dB, {f'{ssim:.{digits}f}'.removeprefix('0')}"


def _over(psnr: float, other: float) -> str:
    return f"{psnr - other:+.2f} dB"
