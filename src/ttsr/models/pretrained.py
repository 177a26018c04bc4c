"""`from_pretrained`, `save_pretrained` and `push_to_hub` as methods of the network, as users of the hub expect them.

Models know nothing of files. `ttsr.weights`, which does, stands above them and imports them; so these methods do not
call it, but the `Store` that `ttsr/__init__.py` connects. huggingface_hub's own mixin is no base class for the same
reason, and since a base class cannot be optional: the network needs nothing but PyTorch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

if TYPE_CHECKING:
    import torch

    from ttsr.models.ttsr import TTSR
    from ttsr.progress import Progress


class Stated(Protocol):
    """What is stated of weights; a `ttsr.Provenance` is one."""

    @property
    def source(self) -> str:
        """The file or run that they come from."""
        ...

    @property
    def recipe(self) -> str:
        """The name or the text of the training recipe."""
        ...

    @property
    def scores(self) -> Mapping[str, dict[str, float]]:
        """Values of metrics, by protocol."""
        ...

    @property
    def licence(self) -> str:
        """Of the weights."""
        ...


class Store(Protocol):
    """Where networks are kept: files, and the hub. The methods of `Pretrained` say what each does."""

    def from_pretrained(
        self,
        name_or_path: str | Path,
        *,
        revision: str | None,
        token: str | bool | None,
        local_files_only: bool,
        device: "str | torch.device",
        progress: "Progress | None",
    ) -> "TTSR":
        """Load a network."""
        ...

    def save_pretrained(
        self, model: "TTSR", folder: str | Path, *, provenance: Stated | None, repo: str | None = None
    ) -> None:
        """Write a network."""
        ...

    def push_to_hub(
        self,
        model: "TTSR",
        repo: str,
        *,
        provenance: Stated | None,
        private: bool | None,
        token: str | bool | None,
        revision: str | None,
        commit_message: str,
    ) -> str:
        """Publish a network."""
        ...


_connected: list[Callable[[], Store]] = []


def connect(store: Callable[[], Store]) -> None:
    """Set what the methods of all networks use; `store` is called when it is first needed."""
    _connected[:] = [store]


class Pretrained:
    """The methods by which a network is loaded from the Hugging Face Hub or a folder, saved, and published."""

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        device: "str | torch.device" = "cpu",
        progress: "Progress | None" = None,
    ) -> Self:
        """Load a network with its weights, in eval mode, in fp32.

        Args:
            name_or_path: a folder of `save_pretrained`; or what `ttsr.load` takes: a name of the catalogue, a file, a
                URL, or `hf://owner/repo[/file][@revision]`; or else `owner/repo` on the hub.
            revision: of the hub: a branch, a tag or a commit.
            token: to show to the hub; by default that of `hf auth login`.
            local_files_only: take what the hub's cache has, and do not go online.
            device: "auto" selects a GPU if there is one.
            progress: of a download.

        Raises:
            UserError: the device is not available.
            WeightsError: there are no such weights, they cannot be downloaded, or are not a complete TTSR; or the hub
                is needed and the extra `hub` is not installed.
        """
        model = _connected[0]().from_pretrained(
            name_or_path,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            device=device,
            progress=progress,
        )
        return cast(Self, model)

    def save_pretrained(self, folder: str | Path, *, provenance: Stated | None = None) -> None:
        """Write `model.safetensors`, in this package's layout, and a model card, `README.md`, into a folder.

        The folder is made if it does not exist. A `README.md` that it has is kept.

        Args:
            folder: where to.
            provenance: of the weights, for the file's metadata and the card: a `ttsr.Provenance`.

        Raises:
            WeightsError: it cannot be written, a weight is not finite, or the extra `hub` is not installed.
        """
        _connected[0]().save_pretrained(cast("TTSR", self), folder, provenance=provenance)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        provenance: Stated | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str = "Weights of ttsr",
    ) -> str:
        """Publish what `save_pretrained` writes in a repository of the hub, which is made if it does not exist.

        The model card replaces the one that the repository has.

        Args:
            repo_id: `owner/repo`.
            provenance: of the weights, for the file's metadata and the card: a `ttsr.Provenance`.
            private: for a new repository: whether only its owner sees it.
            token: to show to the hub; by default that of `hf auth login`.
            revision: the branch; None for the main branch.
            commit_message: of the commit.

        Returns:
            The URL of the commit.

        Raises:
            WeightsError: the hub does not permit it or cannot be reached, a weight is not finite, or the extra `hub` is
                not installed.
        """
        return _connected[0]().push_to_hub(
            cast("TTSR", self),
            repo_id,
            provenance=provenance,
            private=private,
            token=token,
            revision=revision,
            commit_message=commit_message,
        )
