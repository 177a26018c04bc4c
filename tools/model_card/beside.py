"""Our networks beside those of others: the table of means, who wins where, and every picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_card.charts import gains_chart
from model_card.measuring import Measurement, row_of
from model_card.peers import Peer
from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.protocols import LOWER_IS_BETTER, PAPER_Y, TITLES, Score, title_with_arrow
from ttsr.evaluation.reference_choice import REFERENCE_LABELS
from ttsr.evaluation.report import mean_score

SHOWN = ("psnr", "ssim", "gmsd", "haarpsi", "niqe")
"""The metrics of the tables."""
_CHOICES: tuple[ReferenceChoice, ...] = ("none", "1", "all")
_JUDGED: tuple[ReferenceChoice, ...] = ("none", "1")
_NUM_LOSSES = 3
"""How many of the pictures on which ours loses most are named."""


@dataclass(frozen=True)
class Contender:
    """A row of the table.

    Attributes:
        title: of the network.
        reference: the choice of references; None for networks that take none.
        num_parameters: None for bicubic.
        scores: by picture, by `paper-y`.
        cpu_seconds: mean processor time of a picture on one thread; None if it was not measured.
    """

    title: str
    reference: ReferenceChoice | None
    num_parameters: int | None
    scores: Mapping[str, Score]
    cpu_seconds: float | None

    @property
    def label(self) -> str:
        """The title, and what references it was given."""
        return self.title if self.reference is None else f"{self.title}, {REFERENCE_LABELS[self.reference]}"

    @property
    def mean(self) -> Score:
        """Each metric averaged over the pictures."""
        return mean_score(list(self.scores.values()))


def bicubic_of(measurement: Measurement) -> Contender:
    """Bicubic, as it was scored beside a model of ours."""
    pictures = row_of(measurement.by_reference, "1").pictures
    return Contender("bicubic", None, None, {p.name: p.bicubic[PAPER_Y.name] for p in pictures}, None)


def contender_of(peer: Peer) -> Contender:
    """A network of others."""
    return Contender(peer.title, None, peer.num_parameters, peer.scores, peer.cpu_seconds)


def ours(name: str, measurement: Measurement) -> list[Contender]:
    """A model of ours without references, with reference 1, and with all where these were measured."""
    return [
        Contender(
            name,
            choice,
            measurement.num_parameters,
            {p.name: p.model[PAPER_Y.name] for p in row_of(measurement.by_reference, choice).pictures},
            measurement.cpu_seconds.get(choice),
        )
        for choice in _CHOICES
        if any(row.reference == choice for row in measurement.by_reference.rows)
    ]


def means_table(contenders: Sequence[Contender]) -> str:
    """List the means of all, in Markdown; the best value of each metric is bold."""
    heads = ["network", "parameters", "references", *map(title_with_arrow, SHOWN), "CPU s"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    best = {metric: _best(metric, [getattr(contender.mean, metric) for contender in contenders]) for metric in SHOWN}
    for contender in contenders:
        count = contender.num_parameters
        cells = [
            contender.title,
            "" if count is None else f"{count / 1e6:.2f} M",
            "" if contender.reference is None else REFERENCE_LABELS[contender.reference],
        ]
        texts = dict(zip(Score._fields, contender.mean.texts(), strict=True))
        for metric in SHOWN:
            is_best = getattr(contender.mean, metric) == best[metric]
            cells.append(f"**{texts[metric]}**" if is_best else texts[metric])
        cells.append("" if contender.cpu_seconds is None else f"{contender.cpu_seconds:.1f}")
        lines.append(_line(cells))
    return "\n".join(lines)


def wins_table(mine: Sequence[Contender], peers: Sequence[Contender]) -> str:
    """List for each of ours against each of others on how many pictures it is better, by each metric."""
    heads = ["ours", "against", "mean PSNR", *(f"better by {TITLES[metric]}" for metric in SHOWN)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for own in mine:
        if own.reference not in _JUDGED:
            continue
        for peer in peers:
            counts = [f"{_wins(metric, own, peer)} of {len(own.scores)}" for metric in SHOWN]
            gain = own.mean.psnr - peer.mean.psnr
            lines.append(_line([own.label, peer.title, f"{gain:+z.2f} dB", *counts]))
    return "\n".join(lines)


def losses(own: Contender, peer: Contender, scenes: Mapping[str, str]) -> str:
    """Tell in a sentence on which pictures ours gains and loses most against another, by PSNR."""
    gains = {name: score.psnr - peer.scores[name].psnr for name, score in own.scores.items()}
    ordered = sorted(gains, key=lambda name: (gains[name], name))
    worst, best = ordered[:_NUM_LOSSES], ordered[::-1][:_NUM_LOSSES]
    named = [", ".join(f"{called(name, scenes)} {gains[name]:+z.2f} dB" for name in names) for names in (best, worst)]
    return f"{own.label}, against {peer.title}: best on {named[0]}; worst on {named[1]}."


def beside_chart(own: Contender, peer: Contender, bicubic: Contender) -> str:
    """Draw each picture's gain over bicubic by ours over that by another, as SVG."""
    points = [tuple(c.scores[name].over(score).psnr for c in (peer, own)) for name, score in bicubic.scores.items()]
    labels = [f"gain over bicubic by {contender.label}, dB" for contender in (peer, own)]
    return gains_chart(f"{len(points)} pictures", labels[0], labels[1], [(x, y) for x, y in points])


def pictures_table(contenders: Sequence[Contender], scenes: Mapping[str, str]) -> str:
    """List PSNR and HaarPSI of every picture; the best PSNR is bold."""
    heads = ["picture", *(contender.label for contender in contenders)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in contenders[0].scores:
        scores = [contender.scores[name] for contender in contenders]
        best = max(score.psnr for score in scores)
        psnrs = [f"**{score.psnr:.2f}**" if score.psnr == best else f"{score.psnr:.2f}" for score in scores]
        cells = [f"{psnr}, {score.haarpsi:.3f}" for psnr, score in zip(psnrs, scores, strict=True)]
        lines.append(_line([called(name, scenes), *cells]))
    return "\n".join(lines)


def called(name: str, scenes: Mapping[str, str]) -> str:
    """A picture's name, with what it shows where that is known."""
    return f"{name} ({scenes[name]})" if name in scenes else name


def _wins(metric: str, own: Contender, peer: Contender) -> int:
    sign = -1 if metric in LOWER_IS_BETTER else 1
    return sum(
        sign * getattr(score, metric) > sign * getattr(peer.scores[name], metric) for name, score in own.scores.items()
    )


def _best(metric: str, values: Sequence[float]) -> float:
    return min(values) if metric in LOWER_IS_BETTER else max(values)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
