"""The attacks of `service_attack.py`: each takes a target, and gives what the service answered, and how often."""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from attack_inputs import FORMS, MALFORMED, NAMES, form, get, picture_bombs, png, post

PATIENCE_S = 100.0


@dataclass
class Target:
    """A service.

    Attributes:
        port: at 127.0.0.1.
        process: its own.
        forbidden: what no answer may contain.
        scale: how many clients there are of the usual number, up to 1.
        job: the path of a finished job.
        leaks: answers that contained something forbidden.
    """

    port: int
    process: psutil.Process
    forbidden: tuple[bytes, ...]
    scale: float = 1.0
    job: str = ""
    leaks: list[str] = field(default_factory=list)

    def many(self, number: int) -> range:
        """So many clients."""
        return range(max(2, round(self.scale * number)))

    async def connect(self, client: int = 0, limit: int = 2**20) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from an address of this machine of the client's own: 127.0.x.y."""
        source = f"127.0.{1 + client // 250 % 250}.{1 + client % 250}"
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0), limit=limit)

    async def ask(self, request: bytes, client: int = 0, patience: float = PATIENCE_S) -> tuple[str, bytes]:
        """The status of the answer to a request and the answer, or what became of the connection."""
        answer = b""
        try:
            async with asyncio.timeout(patience):
                reader, writer = await self.connect(client)
                try:
                    writer.write(request)
                    sending = asyncio.ensure_future(_drained(writer))
                    while part := await reader.read(2**20):
                        answer += part
                    await sending
                finally:
                    writer.transport.abort()
        except TimeoutError:
            return ("no answer" if not answer else status_of(answer) + ", kept open"), answer
        except OSError:
            pass
        self.check(answer)
        return status_of(answer), answer

    def check(self, answer: bytes) -> None:
        """See that an answer tells nothing that it should not."""
        self.leaks += [str(answer[:500]) for word in self.forbidden if word in answer]

    def processes(self) -> list[psutil.Process]:
        """Those that do the work."""
        found = []
        for child in self.process.children():
            with suppress(psutil.Error):
                found += [child] if "spawn_main" in " ".join(child.cmdline()) else []
        return found


async def _drained(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # refused before all was sent
        await writer.drain()


def status_of(answer: bytes) -> str:
    """The status of an answer, or that the connection was closed without one."""
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return found[1].decode() if found else "closed"


Attack = Callable[[Target], Awaitable[Counter[str]]]


async def _counted(answers: Iterable[Awaitable[tuple[str, bytes]]]) -> Counter[str]:
    return Counter(status for status, _ in await asyncio.gather(*answers))


async def malformed_requests(target: Target) -> Counter[str]:
    """Request smuggling, broken framing, huge headers, odd methods and targets."""
    every = [*MALFORMED.values()] * 3
    return await _counted(target.ask(request, number % 40) for number, request in enumerate(every))


async def form_bombs(target: Target) -> Counter[str]:
    """Too many, too long, nested and unfinished parts."""
    answers = (target.ask(post("/v1/plan", body), number) for number, body in enumerate(FORMS.values()))
    return await _counted(answers)


async def bombs_of_pictures(target: Target) -> Counter[str]:
    """Few bytes that unpack to many."""
    bodies = [form([("file", "x.png", data)]) for data in picture_bombs().values()]
    return await _counted(target.ask(post("/v1/images", body), number) for number, body in enumerate(bodies))


async def names_of_files(target: Target) -> Counter[str]:
    """Paths, line breaks, NUL, markup and quotes in the names of uploads; the name of the result in a header."""
    small, counts = png(12, 12), Counter[str]()
    for number, name in enumerate(NAMES):
        status, answer = await target.ask(post("/v1/jobs", form([("lr", name, small)])), number)
        found = re.search(rb"(?i)location: (/v1/jobs/\S+)", answer)
        if found is not None:
            path = found[1].decode()
            await ended(target, path, number)
            status, answer = await target.ask(get(f"{path}/result"), number)
            assert b"set-cookie" not in answer.partition(b"\r\n\r\n")[0].lower()
            await target.ask(get(path, method="DELETE"), number)
        counts[status] += 1
    return counts


async def ended(target: Target, path: str, client: int) -> str:
    """The state that a job ends in."""
    while True:
        _, answer = await target.ask(get(path), client)
        found = re.search(rb'"state":"(\w+)"', answer)
        if found is None or found[1] not in (b"queued", b"running"):
            return "gone" if found is None else found[1].decode()
        await asyncio.sleep(0.1)


async def unread_events(target: Target) -> Counter[str]:
    """Streams of the events of a job that waits for long, which nobody reads."""
    _, answer = await target.ask(post("/v1/jobs", form([("lr", "x.png", png(300, 300, 1))])), 9000)
    found = re.search(rb"(?i)location: (/v1/jobs/\S+)", answer)
    if found is None:
        return Counter([status_of(answer)])
    path = f"{found[1].decode()}/events"
    answers = await asyncio.gather(*(target.ask(get(path), n % 40) for n in target.many(800)))
    return Counter(status for status, _ in answers)


async def uploads_at_once(target: Target) -> Counter[str]:
    """Different pictures from as many addresses."""
    bodies = [post("/v1/images", form([("file", f"{n}.png", png(200, 200, n))])) for n in target.many(500)]
    return await _counted(target.ask(body, number) for number, body in enumerate(bodies))


async def uploads_of_one(target: Target) -> Counter[str]:
    """Different pictures from one address."""
    bodies = [post("/v1/images", form([("file", f"{n}.png", png(200, 200, n))])) for n in target.many(500)]
    return await _counted(target.ask(body, 5000) for body in bodies)


async def jobs_at_once(target: Target) -> Counter[str]:
    """Jobs from as many addresses."""
    bodies = [post("/v1/jobs", form([("lr", "x.png", png(16, 16, n))])) for n in target.many(500)]
    return await _counted(target.ask(body, number) for number, body in enumerate(bodies))


async def jobs_that_come_and_go(target: Target) -> Counter[str]:
    """Jobs that are sent and deleted, one after the other by each of ten clients."""

    async def come_and_go(client: int) -> Counter[str]:
        counts = Counter[str]()
        for number in target.many(100):
            body = form([("lr", "x.png", png(12, 12, number))])
            status, answer = await target.ask(post("/v1/jobs", body), client)
            found = re.search(rb"(?i)location: (/v1/jobs/\S+)", answer)
            if found is not None:
                for _ in range(2):
                    await target.ask(get(found[1].decode(), method="DELETE"), client)
            counts[status] += 1
        return counts

    return sum(await asyncio.gather(*map(come_and_go, range(6000, 6010))), Counter[str]())


async def guessed_ids(target: Target) -> Counter[str]:
    """Ids of jobs that do not exist, and digests of pictures of others."""
    paths = [f"/v1/jobs/{n:043d}" for n in target.many(1000)]
    answers = [target.ask(get(path), number % 40) for number, path in enumerate(paths)]
    return await _counted(answers)


async def killed_workers(target: Target) -> Counter[str]:
    """A job whose worker is killed, again and again; then all processes at once."""
    counts = Counter[str]()
    for number in target.many(6):
        _, answer = await target.ask(post("/v1/jobs", form([("lr", "x.png", png(300, 300, number))])), 7000)
        found = re.search(rb"(?i)location: (/v1/jobs/\S+)", answer)
        if found is None:
            counts[status_of(answer)] += 1
            continue
        await asyncio.sleep(0.3)
        for process in target.processes():
            process.send_signal(signal.SIGKILL)
        counts[await ended(target, found[1].decode(), 7000)] += 1
    return counts
