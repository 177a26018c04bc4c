"""What a service may do, and how much of it: its settings and limits."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from ttsr.errors import UserError
from ttsr.options import DEFAULT_DEVICE, Device, check_device_name

MIB, GIB = 2**20, 2**30
_HOST = r"[a-z0-9._-]+"
_ORIGIN = rf"[a-z][a-z0-9+.-]*://({_HOST}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?"


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of a service.

    Attributes:
        host: the address that it listens at; those that are not the loopback's need a token.
        token: what clients must send as `Authorization: Bearer TOKEN`; None for no token.
        models: that clients may choose, as `ttsr.load` names them, the default first; empty for those that ship.
        device: where to compute. `auto` and `cuda` are all GPUs, of which each worker has one.
        workers: processes that work on jobs; by default one for each GPU, or one on a CPU.
        threads: of the CPU, for each worker; by default the cores divided among them.
        max_memory: bytes for all workers together (on CUDA: of each GPU's memory); by default a share of what is free.
        queue: jobs that may wait.
        jobs_per_client: jobs of one client address that may wait or run.
        upload_bytes: of one picture.
        request_bytes: of one request.
        stored_bytes: of all pictures that are kept for later jobs.
        result_bytes: of all jobs that have ended and are kept.
        pixels: of a picture to upscale.
        reference_pixels: of a reference.
        references: of one job.
        job_seconds: that a job may take: by its plan, and when it runs.
        upload_seconds: within which a request's body must have come.
        head_seconds: within which a request's line and headers must have come.
        stall_seconds: within which a client must have sent, or read, the next 64 KiB.
        connections: that may be open.
        connections_per_client: of one client address.
        requests_per_client: with a body, of one client address, that may be received and looked at at the same time.
        keep_seconds: that pictures and ended jobs are kept.
        grace_seconds: that a cancelled job has to stop by itself before its process is killed.
        allow_origins: of pages elsewhere that may use the service.
        allow_hosts: names that it is called by, beside the loopback's, where it listens there.
        instance: one of several services behind a balancer: ids of jobs begin with it and a dot.

    Raises:
        UserError: a limit is not positive; the device, an origin, a host or the instance is none; the token is missing
            or too short.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    models: tuple[str, ...] = ()
    device: Device = DEFAULT_DEVICE
    workers: int | None = None
    threads: int | None = None
    max_memory: int | None = None
    queue: int = 16
    jobs_per_client: int = 4
    upload_bytes: int = 64 * MIB
    request_bytes: int = 256 * MIB
    stored_bytes: int = 2 * GIB
    result_bytes: int = 2 * GIB
    pixels: int = 4_000_000
    reference_pixels: int = 50_000_000
    references: int = 8
    job_seconds: float = 600
    upload_seconds: float = 600
    head_seconds: float = 20
    stall_seconds: float = 60
    connections: int = 1000
    connections_per_client: int = 100
    requests_per_client: int = 16
    keep_seconds: float = 3600
    grace_seconds: float = 2
    allow_origins: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    instance: str = ""

    def __post_init__(self) -> None:
        check_device_name(self.device)
        for name, value in vars(self).items():
            if isinstance(value, int | float) and not 0 < value < float("inf"):
                raise UserError(f"{name.replace('_', ' ')}: {value} is not possible", "give a number above 0")
        for origin in self.allow_origins:
            if not re.fullmatch(_ORIGIN, origin):
                told = "give scheme, name and port, such as https://example.org"
                raise UserError(f"origin {origin!r}: is not how browsers tell one", told)
        for name in self.allow_hosts:
            if not re.fullmatch(_HOST, name):
                raise UserError(f"host {name!r}: is no name", "give one such as ttsr.example.org, without a port")
        if not re.fullmatch("[a-z0-9-]{0,32}", self.instance):
            raise UserError(f"instance {self.instance!r}: cannot begin the ids of jobs", "take a-z, 0-9 and -")
        if self.token is not None and (len(self.token) < 16 or not self.token.isascii() or " " in self.token):
            raise UserError("the token is too easy to guess", "take at least 16 letters and digits, by chance")
        if self.token is None and not is_loopback(self.host):
            raise UserError(f"{self.host}: others than this machine would have access", "set a token for them to send")


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, that no other machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def public_name(model: str) -> str:
    """What clients call a model: a name of the catalogue or of the Hub as it is, a file or URL by its stem."""
    if "://" in model and not model.startswith(("http://", "https://")):
        return model
    path = Path(model)
    return path.stem if path.suffix in (".safetensors", ".pt", ".pth") or path.exists() else model
