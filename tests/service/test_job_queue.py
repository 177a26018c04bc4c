"""When clients are told to come back, and whose results make room, without processes."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ttsr.service.change import Change
from ttsr.service.job import Job
from ttsr.service.job_queue import JobQueue, QueueFull
from ttsr.service.job_request import JobPlan
from ttsr.service.settings import ServiceSettings


class Jobs:
    """A queue whose one worker takes a job when told to."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        pool: Any = SimpleNamespace(workers=[object()], changes=Change())
        self.queue = JobQueue(ServiceSettings(**settings), pool, lambda job, seconds: None)
        self._folder, self._numbers = folder, count()

    def add(self, client: str, seconds: float = 1, num_bytes: int = 0) -> Job:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        (folder / "result.png").write_bytes(b"x" * num_bytes)
        request: Any = None
        job = Job(request, JobPlan(seconds, 0, 4, 4), client, folder, folder.name)
        self.queue.add(job)
        return job

    def ended(self, client: str, num_bytes: int = 0) -> Job:
        job = self.add(client, num_bytes=num_bytes)
        self.queue.cancel(job)
        job.folder.mkdir()
        (job.folder / "result.png").write_bytes(b"x" * num_bytes)
        return job

    def told(self, client: str) -> int:
        """Seconds after which a client that finds no place is to ask again."""
        with pytest.raises(QueueFull) as refused:
            self.queue.check_room(client)
        return refused.value.retry_after


def test_those_who_find_no_place_are_told_when_their_turn_comes(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, queue=2, jobs_per_client=2)
    running = jobs.add("a", 30)
    jobs.queue._waiting.remove(running)
    running.change(state="running", fraction=0.5)
    jobs.add("b", 20)
    jobs.add("c", 40)
    # A place is free when what runs is done, and the next when the first that waits is.
    assert [jobs.told(client) for client in "defd"] == [15, 35, 35, 35]


def test_who_has_enough_jobs_is_told_when_the_first_of_them_ends(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, queue=9, jobs_per_client=2)
    for client, seconds in (("a", 30), ("b", 20), ("b", 40)):
        jobs.add(client, seconds)
    assert jobs.told("b") == 50
    jobs.queue.check_room("a")


def test_the_client_that_keeps_most_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(tmp_path, result_bytes=100)
    quiet, *loud = jobs.ended("quiet", 40), *(jobs.ended("loud", 30) for _ in range(4))
    jobs.queue.expire()
    kept = [job for job in (quiet, *loud) if jobs.queue.get(job.id) is not None]
    assert kept == [quiet, *loud[2:]] and {job.folder for job in kept} == {*tmp_path.iterdir()}
    monkeypatch.setattr("ttsr.service.job_queue._MOST_JOBS", 4)
    more = [jobs.ended("loud") for _ in range(3)]
    kept = [job for job in (quiet, *loud, *more) if jobs.queue.get(job.id) is not None]
    assert kept == [quiet, *more]


def test_where_no_job_has_ended_none_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsr.service.job_queue._MOST_JOBS", 2)
    jobs = Jobs(tmp_path)
    assert [jobs.add(client).state for client in "abc"] == ["queued"] * 3
