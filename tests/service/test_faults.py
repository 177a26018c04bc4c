"""What goes wrong in the middle: killed processes, work that takes too long, time that is over."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ttsr.service import ServiceSettings, create_application
from ttsr.service.job_queue import folder_bytes
from ttsr.service.running_service import RunningService
from ttsr.service.worker_calls import SHARE

Form = list[tuple[str, Any]]
Until = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def client(tiny_weights: Path) -> Iterator[TestClient]:
    settings = ServiceSettings(models=(str(tiny_weights),), device="cpu", workers=1, threads=1, grace_seconds=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ttsr.service.running_service._SWEEP_S", 0.2)
        yield from entered(settings)


def entered(settings: ServiceSettings) -> Iterator[TestClient]:
    with TestClient(create_application(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def service(client: TestClient) -> RunningService:
    application: Any = client.app
    return application.state.service


def submit(client: TestClient, form: Form) -> str:
    answer = client.post("/v1/jobs", files=form)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def test_a_killed_worker_fails_its_job_and_is_replaced(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    killed, behind = submit(client, long_form), submit(client, small_form())
    until(client, killed, "running")
    before = service.pool.workers[0].pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    job = until(client, killed)
    assert (job["state"], job["result"]) == ("failed", None)
    assert job["error"].startswith("the process that worked on it ended, likely because memory ran out: ")
    assert until(client, behind)["state"] == "done"
    assert service.pool.workers[0].pid != before and service.pool.restarts >= 1
    assert client.get(f"/v1/jobs/{behind}/pictures/result").status_code == 200


def test_a_worker_that_dies_while_it_waits_fails_no_job(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], until: Until
) -> None:
    for process in (service.pool.workers[0], service.pool.painter):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        while process.is_ready:
            time.sleep(0.01)
    assert client.get("/readyz").status_code == 503
    job = submit(client, small_form(1))
    assert until(client, job)["state"] == "done"
    assert client.get(f"/v1/jobs/{job}/pictures/relevance").status_code == 200


def test_a_job_that_takes_too_long_is_stopped(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    given = service.settings
    service.queue.settings = replace(given, job_seconds=0.2)
    try:
        job = until(client, submit(client, long_form))
    finally:
        service.queue.settings = given
    assert (job["state"], job["error"]) == ("failed", "it took more than the 0.2 seconds that a job may take")
    assert until(client, submit(client, small_form()))["state"] == "done"


def test_a_job_that_would_take_too_long_is_refused(
    client: TestClient, service: RunningService, long_form: Form
) -> None:
    given = service.settings
    service.settings = replace(given, job_seconds=0.01)
    try:
        answer = client.post("/v1/jobs", files=long_form)
    finally:
        service.settings = given
    assert answer.status_code == 422 and "more than the 0.01 of a job" in answer.json()["detail"]


def test_a_worker_that_does_not_heed_a_cancel_is_killed(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    job = submit(client, long_form)
    until(client, job, "running")
    before = service.pool.workers[0].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert until(client, submit(client, small_form()))["state"] == "done"
    assert service.pool.workers[0].pid != before
    assert until(client, job)["error"] is None


def test_a_process_has_little_more_memory_than_its_share(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    pool = service.pool
    for process in (pool.assistant, pool.painter, *pool.workers):
        while not process.is_ready:
            time.sleep(0.01)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        (most,) = re.findall(r"Max data size +(\d+) ", limits)
        assert pool.share_bytes < int(most) < 1.3 * pool.share_bytes + 300 * 2**20
    worker = pool.workers[0]
    # From here on it has less than it holds already.
    lowered: Any = client.portal
    lowered.call(worker.call, SHARE, 1, pool.share_bytes, -(2**27))
    job = until(client, submit(client, long_form))
    assert job["state"] == "failed" and "memory" in job["error"]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    while worker.is_ready:
        time.sleep(0.01)
    assert until(client, submit(client, small_form()))["state"] == "done"


def test_a_question_whose_process_is_killed_is_asked_once_more(
    client: TestClient, service: RunningService, small_form: Callable[..., Form]
) -> None:
    pid = service.pool.assistant.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.post, "/v1/plan", files=small_form(8))
        while not service.pool.assistant._pending:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        assert asked.result().status_code == 200
    assert service.pool.assistant.pid != pid


def test_a_picture_is_drawn_once_for_all_who_ask(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], until: Until
) -> None:
    job, asked = submit(client, small_form(9)), list[str]()
    assert until(client, job)["state"] == "done"
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as threads:
        draw = service.pool.draw

        async def noted(function: str, *arguments: Any) -> Any:
            asked.append(function)
            await asyncio.sleep(0.1)
            return await draw(function, *arguments)

        patch.setattr(service.pool, "draw", noted)
        answers = [*threads.map(client.get, [f"/v1/jobs/{job}/pictures/relevance"] * 4)]
        assert [answer.status_code for answer in answers] == [200] * 4 and len(asked) == 1


def test_pictures_and_jobs_are_gone_when_their_time_is_over(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], until: Until
) -> None:
    digest = client.post("/v1/images", files={"file": small_form()[0][1]}).json()["digest"]
    job = submit(client, small_form())
    assert until(client, job)["state"] == "done"
    found, given = service.queue.get(job), service.queue.settings
    assert found is not None and (found.folder / "result.png").exists()
    try:
        service.pictures.keep_seconds = 0.1
        service.queue.settings = replace(given, keep_seconds=0.1)
        while client.get(f"/v1/jobs/{job}").status_code == 200 or service.pictures.num_bytes:
            time.sleep(0.1)
    finally:
        service.pictures.keep_seconds, service.queue.settings = given.keep_seconds, given
    assert not found.folder.exists()
    assert client.post("/v1/plan", data={"lr_digest": digest}, files={"unused": (None, "")}).status_code == 404


def test_what_takes_too_much_room_goes_first(
    client: TestClient, service: RunningService, small_form: Callable[..., Form], until: Until
) -> None:
    given = service.queue.settings
    jobs = [submit(client, small_form(seed)) for seed in range(2)]
    for job in jobs:
        assert until(client, job)["state"] == "done"

    def bytes_of(job: str) -> int:
        found = service.queue.get(job)
        assert found is not None
        return folder_bytes(found.folder)

    try:
        service.queue.settings = replace(given, result_bytes=sum(map(bytes_of, jobs)) - 1)
        while client.get(f"/v1/jobs/{jobs[0]}").status_code == 200:
            time.sleep(0.1)
    finally:
        service.queue.settings = given
    assert client.get(f"/v1/jobs/{jobs[1]}").status_code == 200
