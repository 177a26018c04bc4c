"""Networks as folders and as repositories of the Hugging Face Hub: the `Store` of `ttsr.models.pretrained`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ttsr.errors import WeightsError
from ttsr.models.pretrained import Stated
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.device import choose_device
from ttsr.system.files import atomic_path
from ttsr.weights.assembly import assemble
from ttsr.weights.catalog import available_weights
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.hub import FILE, HUB, READABLE, fetch_from_hub, hub_errors, import_hub, parse_hub_name
from ttsr.weights.hub_card import hub_card
from ttsr.weights.loading import load
from ttsr.weights.provenance import Provenance
from ttsr.weights.saving import save

_CARD = "README.md"


def from_pretrained(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> TTSR:
    """See `TTSR.from_pretrained`."""
    place = choose_device(device)
    name = str(name_or_path)
    if Path(name).is_dir():
        return load(Path(name) / FILE, device=place)
    if isinstance(name_or_path, Path) or (not name.startswith(HUB) and not _is_repo(name)):
        if revision is not None:
            raise WeightsError(f"{name}: is not on the hub and has no revision {revision}")
        return load(name_or_path, device=place, progress=progress)
    file = parse_hub_name(name)
    if revision is not None:
        if file.revision not in (None, revision):
            raise WeightsError(f"{name}: names another revision than {revision}")
        file = replace(file, revision=revision)
    path = fetch_from_hub(file, progress, token=token, local_files_only=local_files_only)
    return assemble(read_checkpoint(path), str(file)).to(place)


def _is_repo(name: str) -> bool:
    """Whether a name without `hf://` stands for a repository of the hub: `owner/repo`, and nothing that is here."""
    known = name in available_weights() or Path(name).exists()
    return not known and "://" not in name and name.count("/") == 1 and not name.endswith(READABLE)


def save_pretrained(
    model: TTSR, folder: str | Path, *, provenance: Stated | None = None, repo: str | None = None
) -> None:
    """See `TTSR.save_pretrained`; `repo` is the repository that the card names, by default one of the folder's name."""
    folder = Path(folder)
    known = _provenance(provenance)
    text = hub_card(model, known, repo or folder.resolve().name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(model, folder / FILE, provenance=known)
        if not (folder / _CARD).exists():
            with atomic_path(folder / _CARD) as temporary:
                temporary.write_text(text, "utf-8")
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error.strerror or error})") from None


def push_to_hub(
    model: TTSR,
    repo: str,
    *,
    provenance: Stated | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    commit_message: str = "Weights of ttsr",
) -> str:
    """See `TTSR.push_to_hub`."""
    hub = import_hub(repo)
    file = parse_hub_name(repo)
    if file.path != FILE or file.revision is not None:
        raise WeightsError(f"{repo}: names more than a repository", "name it as OWNER/REPO")
    with TemporaryDirectory() as folder:
        save_pretrained(model, folder, provenance=provenance, repo=file.repo)
        with hub_errors(file.repo, repo):
            api = hub.HfApi(token=token, library_name="ttsr")
            api.create_repo(file.repo, private=private, exist_ok=True)
            if revision is not None:
                api.create_branch(file.repo, branch=revision, exist_ok=True)
            commit = api.upload_folder(
                repo_id=file.repo, folder_path=folder, revision=revision, commit_message=commit_message
            )
    return str(commit.commit_url)


def _provenance(stated: Stated | None) -> Provenance:
    if stated is None:
        return Provenance()
    return Provenance(stated.source, stated.recipe, dict(stated.scores), stated.licence)
