"""What an ablation found, and its page: our rows beside the paper's."""

from dataclasses import dataclass

from ablated import VARIANTS

# Yang et al., CVPR 2020, tables 2 and 3: PSNR (dB) and SSIM on CUFED5, as generally cited. It has no last row.
PAPERS = {
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
    "more",
    "better on",
    "the paper's\\*: PSNR, SSIM",
    "more",
)


@dataclass(frozen=True)
class RowScore:
    """A row's scores over a test set, `paper-y`, reference 1.

    name: of its `Variant`. psnr (dB) and ssim are means, as are those of bicubic; pictures: PSNR of each, by name.
    notes: what a reader of the means must know. seconds: of the row's training.
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
    """All rows, in the order of `VARIANTS`, and what they have in common.

    recipe: the recipe that the rows were made from, by name. crop: side of the HR crops, in pixels.
    """

    recipe: str
    seed: int
    contrastive_steps: int
    steps: int
    batch_size: int
    crop: int
    rows: tuple[RowScore, ...]


def page(found: Ablation) -> str:
    """The page in Markdown."""
    first = found.rows[0]
    bicubic = _scores(first.bicubic_psnr, first.bicubic_ssim, 4)
    notes = "".join(f"{note}.\n" for note in dict.fromkeys(note for row in found.rows for note in row.notes))
    return f"""# Ablation

What each part of the network brings: the rows of the paper's tables 2 and 3, and one for what ours has beyond, each
trained anew for a short time and scored by the same code as `ttsr evaluate`. Written by

    make ablation TRAIN=PHOTOS DEV=TEST

which goes on where it was if it is stopped and called again. Every picture's PSNR is in
[ablation.json](../benchmarks/results/ablation.json).

{_table(found)}
Ours: {len(first.pictures)} pictures, `paper-y`, reference 1; bicubic has {bicubic}. The paper's: CUFED5,
`paper-y`, five references stacked, the published sizes. "More" is the PSNR above the row before, "better on" the number
of pictures that have more.
{notes}
\\* As generally cited; the paper's tables were not read again for this list.

## How the rows were trained

By `{found.recipe}`'s sizes, losses, rates and pairs, seed {found.seed}: {found.steps} steps
of {found.batch_size} pairs, crops of {found.crop} px; the same pairs for every row, and the same weights to begin with
in all parts that it has. The rate falls over the second half. From row to row one thing is added:

1. **no transfer**: nothing of the reference enters, in training or in scoring.
2. **hard attention**: the textures of each cell's best match enter with weight 1, at all three scales.
3. **soft attention**: they enter with weight S, the match's relevance (equation 8).
4. **trained extractor**: it learns along, by all of the recipe's losses; before, it stayed as it began.
5. **CSFI**: the scales exchange features (section 3.2). Before, one path led from the 1x features up to the 2x and
   on to the 4x features, and from these alone to the image; the chains that only feed the exchange were not there.
6. **matches to the pixel, trust**: not in the paper. Matches are moved by up to two pixels to where the reference fits
   best, and the soft attention has learned how far to believe them.

The paper's fixed extractor is VGG19. Ours was trained by the contrastive term alone,
{found.contrastive_steps} steps, and rows 2 to 6 begin with the same one. It counts among their parameters, trained or
not.

## What it says and what not

In which direction each part moves a small network early in its training, on other photographs than the paper's. It
is one seed: where "better on" is near half of the pictures, the difference says nothing. A part with more parameters
may take more steps than these to pay.
"""


def _table(found: Ablation) -> str:
    lines = [_HEAD, ("---",) * len(_HEAD)]
    earlier: RowScore | None = None
    for variant, row in zip(VARIANTS, found.rows, strict=True):
        papers, before = PAPERS.get(variant.name), earlier and PAPERS.get(earlier.name)
        more = ("", "")
        if earlier is not None:
            more = (_more(row.psnr, earlier.psnr), f"{num_better(row, earlier)} of {len(row.pictures)}")
        lines.append(
            (
                variant.adds,
                f"{row.num_parameters / 1e6:.3f} M",
                _scores(row.psnr, row.ssim, 4),
                _more(row.psnr, row.bicubic_psnr),
                *more,
                _scores(*papers, 3) if papers else "",
                _more(papers[0], before[0]) if papers and before else "",
            )
        )
        earlier = row
    return "".join("|" + "".join(f" {cell} |" for cell in cells) + "\n" for cells in lines)


def num_better(row: RowScore, other: RowScore) -> int:
    """Pictures on which a row has more PSNR than another."""
    return sum(psnr > other.pictures[name] for name, psnr in row.pictures.items())


def _scores(psnr: float, ssim: float, digits: int) -> str:
    return f"{psnr:.2f} dB, {f'{ssim:.{digits}f}'.removeprefix('0')}"


def _more(psnr: float, than: float) -> str:
    return f"{psnr - than:+.2f} dB"
