"""`ttsr serve`."""

import os
from dataclasses import dataclass

from cyclopts import Group, Parameter

from ttsr.cli.serving import serve_until_stopped
from ttsr.cli.shared_options import DeviceOption
from ttsr.options import DEFAULT_DEVICE
from ttsr.service.settings import ServiceSettings
from ttsr.system.memory import parse_bytes

_LIMITS = Group("Limits", sort_key=2)
_DEFAULTS = ServiceSettings()


@Parameter(name="*", group=_LIMITS)
@dataclass(frozen=True)
class LimitOptions:
    """How much the service takes.

    Attributes:
        queue: Jobs that may wait.
        jobs_per_client: Jobs of one client address that may wait or run.
        max_upload: The most bytes of one picture, such as 64MiB.
        max_request: The most bytes of one request.
        max_pixels: The most megapixels of a picture to upscale.
        max_reference_pixels: The most megapixels of a reference.
        max_refs: The most references of one job.
        max_seconds: The longest time that a job may take, by its plan and when it runs.
        keep: Seconds that pictures and results are kept.
        keep_bytes: The most bytes of pictures that are kept for later jobs, and of results, each.
    """

    queue: int = _DEFAULTS.queue
    jobs_per_client: int = _DEFAULTS.jobs_per_client
    max_upload: str = "64MiB"
    max_request: str = "256MiB"
    max_pixels: float = 4
    max_reference_pixels: float = 50
    max_refs: int = _DEFAULTS.references
    max_seconds: float = _DEFAULTS.job_seconds
    keep: float = _DEFAULTS.keep_seconds
    keep_bytes: str = "2GiB"


_LIMIT_OPTIONS = LimitOptions()


def serve(
    *,
    host: str = _DEFAULTS.host,
    port: int = 8000,
    token: str | None = None,
    model: tuple[str, ...] = (),
    device: DeviceOption = DEFAULT_DEVICE,
    workers: int | None = None,
    threads: int | None = None,
    max_memory: str | None = None,
    allow_origin: tuple[str, ...] = (),
    allow_host: tuple[str, ...] = (),
    proxy: tuple[str, ...] = (),
    instance: str = "",
    limits: LimitOptions = _LIMIT_OPTIONS,
) -> None:
    """Upscale pictures over HTTP.

    Args:
        host: The address to listen at. Others than this machine's own need a token.
        port: The port to listen at; 0 for any that is free.
        token: What clients must send as Authorization: Bearer TOKEN. Better given by the environment variable
            TTSR_TOKEN, which other users of the machine cannot see.
        model: A model that clients may choose, as for `ttsr upscale`; may be given several times, the default first.
            Default: those that ship.
        device: Where to compute: auto (all GPUs if there are any), cpu, cuda (all GPUs), cuda:N, or mps.
        workers: Processes that work on jobs at the same time. Default: one for each GPU, or one on a CPU.
        threads: Threads of the CPU for each of them. Default: the cores divided among them.
        max_memory: The most memory that all of them may take together, such as 8GiB (on CUDA: of each GPU's).
            Default: a share of what is free.
        allow_origin: The origin of a page elsewhere that may use the service, such as https://example.org; may be
            given several times.
        allow_host: A name that the service is called by, beside localhost, where it listens at this machine's own
            address behind a proxy; may be given several times.
        proxy: The address of a proxy that is trusted to tell the clients' addresses; may be given several times.
        instance: The name of one of several services behind a balancer: ids of jobs begin with it and a dot.
        limits: How much the service takes.
    """
    megapixels = 10**6
    settings = ServiceSettings(
        host=host,
        token=token or os.environ.get("TTSR_TOKEN") or None,
        models=model,
        device=device,
        workers=workers,
        threads=threads,
        max_memory=None if max_memory is None else parse_bytes(max_memory),
        queue=limits.queue,
        jobs_per_client=limits.jobs_per_client,
        upload_bytes=parse_bytes(limits.max_upload),
        request_bytes=parse_bytes(limits.max_request),
        stored_bytes=parse_bytes(limits.keep_bytes),
        result_bytes=parse_bytes(limits.keep_bytes),
        pixels=int(limits.max_pixels * megapixels),
        reference_pixels=int(limits.max_reference_pixels * megapixels),
        references=limits.max_refs,
        job_seconds=limits.max_seconds,
        keep_seconds=limits.keep,
        allow_origins=allow_origin,
        allow_hosts=allow_host,
        instance=instance,
    )
    serve_until_stopped(settings, port, proxies=proxy)
