"""The model card of a repository on the Hugging Face Hub: a header that the hub reads, and a page for people."""

from typing import Any

from ttsr.models.ttsr import TTSR
from ttsr.weights.hub import import_hub
from ttsr.weights.provenance import Provenance

_TAGS = ["super-resolution", "reference-based-super-resolution", "image-super-resolution", "ttsr", "pytorch"]
_TASK = "image-to-image"

# Licences that the hub knows by their SPDX names in lower case; it takes any other as `other` with a name.
_KNOWN_LICENCES = {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0"}
_KNOWN_LICENCES |= {"cc-by-nc-4.0", "cc-by-nc-sa-4.0", "gpl-3.0", "unlicense"}

_PAGE = """\
---
{header}
---

# {name}

Weights of [TTSR](https://arxiv.org/abs/2006.04139), a texture transformer for reference-based super-resolution, for the
Python package `ttsr`: a photo is enlarged four times per side, with textures from a sharp photo of the same subject.

    pip install "ttsr[hub]"
    ttsr upscale small.jpg --ref sharp.jpg --model hf://{repo}

```python
from ttsr import Upscaler

upscaler = Upscaler("hf://{repo}")
references = upscaler.encode_references(["sharp.jpg"])
upscaler.upscale("small.jpg", references).save("large.png")
```

## The network

{num_parameters:.2f} M parameters{additions}. `model.safetensors` holds them, with all sizes in its metadata.

## Where it comes from

{origin}

## Scores

{scores}

## Limits

What the small photo does not show is taken from another photo. Do not use the result to establish identity, text,
number plates or measurements.
"""


def hub_card(model: TTSR, provenance: Provenance, repo: str) -> str:
    """The text of a `README.md`: YAML (licence, library, tags, the scores as metrics), then Markdown.

    Args:
        model: the network.
        provenance: what is known of its weights.
        repo: `owner/repo`, or a folder's name where there is none yet.

    Raises:
        WeightsError: huggingface_hub is not installed.
    """
    name = repo.rpartition("/")[2]
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    additions = ", ".join(f"`{name}`" for name in model.config.additions)
    origin = {"Source": provenance.source, "Licence": provenance.licence, "Recipe": provenance.recipe}
    return _PAGE.format(
        header=_header(provenance, name),
        name=name,
        repo=repo if "/" in repo else f"OWNER/{repo}",
        num_parameters=num_parameters / 1e6,
        additions=f"; additions to the published network: {additions}" if additions else ", as published",
        origin="\n\n".join(_stated(what, text) for what, text in origin.items()),
        scores=_table(provenance.scores),
    )


def _header(provenance: Provenance, name: str) -> str:
    hub = import_hub("a model card")
    results = [
        hub.EvalResult(
            task_type=_TASK, dataset_type="image", dataset_name=protocol, metric_type=metric, metric_value=value
        )
        for protocol, metrics in provenance.scores.items()
        for metric, value in metrics.items()
    ]
    metrics = sorted({metric for values in provenance.scores.values() for metric in values})
    data = hub.ModelCardData(
        library_name="ttsr",
        pipeline_tag=_TASK,
        tags=_TAGS,
        metrics=metrics or None,
        model_name=name if results else None,
        eval_results=results or None,
        **_licence(provenance.licence),
    )
    return str(data.to_yaml()).strip()


def _licence(licence: str) -> dict[str, Any]:
    if not licence:
        return {}
    known = licence.lower()
    return {"license": known} if known in _KNOWN_LICENCES else {"license": "other", "license_name": licence}


def _stated(what: str, text: str) -> str:
    if "\n" in text:  # a recipe's text
        return f"{what}:\n\n" + "\n".join(f"    {line}".rstrip() for line in text.strip().splitlines())
    return f"{what}: {text or 'not stated'}"


def _table(scores: dict[str, dict[str, float]]) -> str:
    if not scores:
        return "None are stated."
    metrics = sorted({metric for values in scores.values() for metric in values})
    lines = ["| protocol | " + " | ".join(metrics) + " |", "|---" * (1 + len(metrics)) + "|"]
    for protocol, values in scores.items():
        cells = [f"{values[metric]:.4f}" if metric in values else "" for metric in metrics]
        lines.append(f"| {protocol} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
