"""Weights on the Hugging Face Hub: names such as `hf://owner/repo`, and what they stand for in its cache."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ttsr import __version__
from ttsr.errors import WeightsError
from ttsr.progress import Cancelled, Progress

HUB = "hf://"
FILE = "model.safetensors"
"""The file of a repository whose name gives none: the one that `save_pretrained` writes."""

_FORM = "the form is hf://OWNER/REPO[/FILE][@REVISION]"
_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:/([^@]+))?(?:@(.+))?", re.ASCII)
READABLE = (".safetensors", ".pt", ".pth")
"""What names of files end in that may hold weights."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository of the hub.

    Attributes:
        repo: `owner/repo`.
        path: of the file in it.
        revision: a branch, a tag or a commit; None for the main branch.
    """

    repo: str
    path: str = FILE
    revision: str | None = None

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        path = "" if self.path == FILE else f"/{self.path}"
        return f"{HUB}{self.repo}{path}{revision}"


def parse_hub_name(name: str) -> HubFile:
    """Parse `hf://owner/repo[/file][@revision]`, with or without `hf://`.

    Raises:
        WeightsError: it is of another form, or the file is of no kind that holds weights.
    """
    match = _NAME.fullmatch(name.removeprefix(HUB))
    if match is None:
        raise WeightsError(f"{name}: names no repository of the hub", _FORM)
    repo, path, revision = match.groups()
    if revision is not None and revision.endswith(READABLE):
        raise WeightsError(f"{name}: the revision stands before the file", _FORM)
    if path is not None and not path.endswith(READABLE):
        raise WeightsError(f"{name}: {path} is no file of weights", f"they end in {', '.join(READABLE)}")
    return HubFile(repo, path or FILE, revision)


def fetch_from_hub(
    file: HubFile,
    progress: Progress | None = None,
    *,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """The local copy of a file of the hub, from huggingface_hub's cache or downloaded into it.

    Args:
        file: what to fetch.
        progress: of the download; cancels it.
        token: to show to the hub; by default that of `hf auth login`.
        local_files_only: only look into the cache.

    Raises:
        WeightsError: huggingface_hub is not installed, or the file cannot be had: it does not exist, needs a
            permission, or the hub cannot be reached.
    """
    hub = import_hub(str(file))
    progress = progress or Progress()
    progress.update(0.0, file.path)  # the hub is tried for half a minute before anything else is told
    with hub_errors(file.repo, str(file), file):
        path = hub.hf_hub_download(
            file.repo,
            file.path,
            revision=file.revision,
            library_name="ttsr",
            library_version=__version__,
            token=token,
            local_files_only=local_files_only,
            tqdm_class=_bar(progress, file.path),
        )
    return Path(path)


def import_hub(what: str) -> ModuleType:
    """The package huggingface_hub; `what` needs it.

    Raises:
        WeightsError: it is not installed.
    """
    try:
        import huggingface_hub  # takes a while, and is optional
    except ImportError:
        raise WeightsError(f"{what}: needs the package huggingface_hub", 'pip install "ttsr[hub]"') from None
    return huggingface_hub


@contextmanager
def hub_errors(repo: str, what: str, file: HubFile | None = None) -> Iterator[None]:
    """Turn what huggingface_hub raises into one line about `what`; `file` is the one that is fetched, if any."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repo}"
    try:
        with _without_warnings():
            yield
    except (Cancelled, WeightsError):
        raise
    except errors.GatedRepoError:
        remedy = f"ask for access at {page}, and log in with hf auth login"
        raise WeightsError(f"{what}: {repo} is only for those who were given access", remedy) from None
    except errors.RepositoryNotFoundError:
        remedy = "check the name; for a private one log in with hf auth login"
        raise WeightsError(f"{what}: the hub knows no repository {repo}, or does not show it to you", remedy) from None
    except errors.RevisionNotFoundError:
        revision = None if file is None else file.revision
        raise WeightsError(f"{what}: {repo} has no revision {revision}", f"see {page}") from None
    except errors.LocalEntryNotFoundError as error:  # before its base
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise _refused(what, error.__cause__) from None
        remedy = "go online, or check HF_ENDPOINT and HF_HUB_OFFLINE"
        raise WeightsError(f"{what}: the hub cannot be reached, and its cache does not have the file", remedy) from None
    except errors.EntryNotFoundError:
        path = "such file" if file is None else file.path
        raise WeightsError(f"{what}: {repo} has no {path}", f"name a file that {page} has; {_FORM}") from None
    except errors.HfHubHTTPError as error:
        raise _refused(what, error) from None
    except errors.HFValidationError as error:
        raise WeightsError(f"{what}: {_first_line(error)}", _FORM) from None
    except Exception as error:  # the errors of the HTTP library that huggingface_hub happens to use, a full disk
        raise WeightsError(f"{what}: the hub or its cache cannot be used ({_first_line(error)})") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep huggingface_hub from logging each attempt of this thread: the last one becomes an error of ours."""
    from huggingface_hub.utils.logging import get_logger  # which makes the handlers, when it is first called

    here = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        return record.levelno != logging.WARNING or record.thread != here

    handlers = [*get_logger().handlers]
    for handler in handlers:
        handler.addFilter(keep)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(keep)


def _refused(what: str, error: Any) -> WeightsError:
    """Of an answer of the hub that has no class of its own in huggingface_hub."""
    status = "with an error" if error.response is None else error.response.status_code
    remedy = "log in with hf auth login, by a token that may do this" if status in (401, 403) else "try again later"
    return WeightsError(f"{what}: the hub answers {status}", remedy)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _bar(progress: Progress, stage: str) -> Any:
    """A class of bars that draw nothing and report to a progress."""
    from tqdm import tqdm  # which huggingface_hub brings along

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)  # of huggingface_hub's own bars
            super().__init__(*args, **options | {"disable": True})
            self.total, self.n = options.get("total"), options.get("initial", 0)

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            progress.update(min(self.n / self.total, 1) if self.total else 0.0, stage)
            return None

    return Bar
