"""Jobs, from the upload to the result, by a server of its own."""

import hashlib
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
import pytest
from PIL import Image

from ttsr import Upscaler

Form = list[tuple[str, Any]]
Until = Callable[..., dict[str, Any]]


class Server(Protocol):
    address: str
    folder: Path
    texts: list[str]

    def client(self, address: str = ..., **headers: str) -> AbstractContextManager[httpx.Client]: ...


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def finished(server: Server, until: Until) -> dict[str, Any]:
    """A finished job of the photos that ship, with the result without references."""
    pairs = Path(__file__).parents[2] / "examples" / "pairs"
    photo, file = Image.open(pairs / "aloe_hr.png").crop((0, 0, 160, 120)), io.BytesIO()
    photo.resize((40, 30)).save(file, "PNG", dpi=(300, 300))
    reference = io.BytesIO()
    Image.open(pairs / "aloe_ref.png").crop((0, 0, 200, 160)).save(reference, "PNG")
    form = [("lr", (r"C:\photos\Blüte.png", file.getvalue())), ("reference", ("../../sharp.png", reference.getvalue()))]
    with server.client("10.2.0.1") as client:
        answer = client.post("/v1/jobs", files=form, data={"without": "true", "search": "coherent"})
        assert answer.status_code == 202, answer.text
        job = until(client, answer.json()["id"])
    return {**job, "lr": file.getvalue(), "sharp": reference.getvalue(), "location": answer.headers["location"]}


def test_a_result_is_that_of_an_upscaler(finished: dict[str, Any], client: httpx.Client, tiny_weights: Path) -> None:
    assert finished["state"] == "done" and finished["fraction"] == 1 and finished["error"] is None
    assert finished["location"] == f"/v1/jobs/{finished['id']}"
    expected = Upscaler(tiny_weights, device="cpu", search="coherent").upscale(
        Image.open(io.BytesIO(finished["lr"])), _encoded(tiny_weights, finished["sharp"])
    )
    answer = client.get(f"{finished['location']}/result")
    assert answer.headers["content-type"] == "image/png"
    # Another number of threads may round otherwise.
    assert np.abs(pixels(answer.content).astype(int) - np.asarray(expected.image)).max() <= 1
    facts, (reference,) = finished["result"], finished["result"]["references"]
    assert (facts["width"], facts["height"]) == (160, 120) == (finished["plan"]["result_width"], 120)
    assert finished["plan"]["seconds"] > 0 and finished["plan"]["memory_bytes"] > 10**6
    assert (reference["name"], reference["width"], reference["use"]) == ("sharp.png", 200, "as it is")
    assert reference["sha256"] == hashlib.sha256(finished["sharp"]).hexdigest()
    assert facts["mean_relevance"] == pytest.approx(float(expected.relevance.mean()), abs=1e-3)
    origin = expected.provenance(70, 50)
    assert origin is not None
    source = client.get(f"{finished['location']}/source?x=70&y=50").json()
    assert (source["reference"], source["x"], source["y"]) == (0, origin.x, origin.y)
    assert source["relevance"] == pytest.approx(origin.relevance, abs=1e-3)
    outside = client.get(f"{finished['location']}/source?x=160&y=50")
    assert (outside.status_code, outside.json()["detail"][:9]) == (404, "(160, 50)")


def _encoded(weights: Path, sharp: bytes) -> Any:
    return Upscaler(weights, device="cpu").encode_references(Image.open(io.BytesIO(sharp)))


def test_all_pictures_of_a_job_can_be_asked_for(finished: dict[str, Any], client: httpx.Client) -> None:
    shown = {}
    for name in finished["result"]["pictures"]:
        answer = client.get(f"{finished['location']}/pictures/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        shown[name] = pixels(answer.content)
        assert shown[name].shape == (120, 160, 3)
    assert [*shown] == ["bicubic", "result", "without", "relevance", "confidence", "provenance"]
    bicubic = Image.open(io.BytesIO(finished["lr"])).resize((160, 120), Image.Resampling.BICUBIC)
    assert (shown["bicubic"] == np.asarray(bicubic)).all()
    assert len({picture.tobytes() for picture in shown.values()}) >= 5
    reference = client.get(f"{finished['location']}/references/0")
    assert reference.headers["content-type"] == "image/jpeg" and pixels(reference.content).shape == (160, 200, 3)
    colours = client.get(f"{finished['location']}/references/0/colours")
    assert colours.headers["content-type"] == "image/jpeg" and pixels(colours.content).shape == (160, 200, 3)
    # Darker from top to bottom.
    assert pixels(colours.content)[:20].mean() > pixels(colours.content)[-20:].mean() + 50
    for path in ("references/1", "references/1/colours", "references/-1/colours"):
        assert client.get(f"{finished['location']}/{path}").status_code == 404
    assert client.get(f"{finished['location']}/pictures/nothing").status_code == 422


@pytest.mark.parametrize(("suffix", "kind"), {"jpg": "JPEG", "webp": "WEBP", "tiff": "TIFF", "png": "PNG"}.items())
def test_a_result_in_each_format(suffix: str, kind: str, finished: dict[str, Any], client: httpx.Client) -> None:
    answer = client.get(f"{finished['location']}/result?format={suffix}")
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.status_code, image.format, image.size) == (200, kind, (160, 120))
    assert "Bl%C3%BCte_x4" in answer.headers["content-disposition"]
    if kind != "WEBP":
        assert round(image.info["dpi"][0]) == 300


def test_a_picture_is_sent_once_and_named_by_its_digest(
    client: httpx.Client, small_form: Callable[..., Form], until: Until
) -> None:
    (_, (_, lr)), (_, (_, sharp)) = small_form(5)
    data: dict[str, Any] = {"without": "false"}
    for field, name, content, size in (
        ("lr_digest", "s.png", lr, (24, 20)),
        ("reference_digest", "r.png", sharp, (48, 40)),
    ):
        answer = client.post("/v1/images", files={"file": (name, content)}).json()
        digest = hashlib.sha256(content).hexdigest()
        assert answer == {"digest": digest, "name": name, "width": size[0], "height": size[1]}
        data[field] = digest
    by_digest = until(client, client.post("/v1/jobs", data=data, files=_no_files()).json()["id"])
    sent = until(client, client.post("/v1/jobs", files=small_form(5)).json()["id"])
    first, second = (client.get(f"/v1/jobs/{job['id']}/result").content for job in (by_digest, sent))
    assert (pixels(first) == pixels(second)).all()
    assert by_digest["result"]["references"][0]["name"] == "r.png"
    unknown = client.post("/v1/plan", data={"lr_digest": "0" * 64}, files=_no_files())
    assert unknown.status_code == 404 and "upload it" in unknown.json()["detail"]


def _no_files() -> Any:
    """Makes httpx send a form as multipart all the same."""
    return [("unused", (None, ""))]


def test_events_come_in_order_until_the_end(
    client: httpx.Client, server: Server, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    first = client.post("/v1/jobs", files=long_form).json()["id"]
    job = client.post("/v1/jobs", files=small_form(7)).json()["id"]
    events, ids = [], []
    with server.client("10.1.0.9") as other, other.stream("GET", f"/v1/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
            if line.startswith("id: "):
                ids.append(line[4:])
            if len(events) == 1 and line == "":
                client.delete(f"/v1/jobs/{first}")
    states = [event["state"] for event in events]
    assert states[0] == "queued" and states[-1] == "done" and events[0]["position"] >= 1
    assert states == sorted(states, key=["queued", "running", "done"].index) and "running" in states
    assert [event["fraction"] for event in events] == sorted(event["fraction"] for event in events)
    assert [int(number) for number in ids] == sorted({int(number) for number in ids})
    assert events[-1] == until(client, job)
    # A browser that connects again after the end is told to leave it.
    again = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": ids[-1]})
    assert again.status_code == 204


def test_the_queue_has_an_end_and_a_place_for_everybody(
    server: Server, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    with server.client("10.3.0.1") as one, server.client("10.3.0.2") as two, server.client("10.3.0.3") as three:
        running = one.post("/v1/jobs", files=long_form).json()["id"]
        until(one, running, "running")
        second = one.post("/v1/jobs", files=small_form(1)).json()
        assert (second["state"], second["position"]) == ("queued", 1)
        own = one.post("/v1/jobs", files=small_form(2))
        assert own.status_code == 429 and own.json()["detail"].startswith("2 jobs of yours")
        third = two.post("/v1/jobs", files=small_form(3)).json()
        assert (third["state"], third["position"]) == ("queued", 2)
        full = three.post("/v1/jobs", files=small_form(4))
        assert full.status_code == 429 and full.json()["detail"].startswith("2 jobs are waiting")
        assert int(full.headers["retry-after"]) >= 1
        metrics = three.get("/metrics").text
        assert "ttsr_queue_length 2.0" in metrics and 'ttsr_jobs{state="running"} 1.0' in metrics
        # Whoever leaves the queue makes room, and those behind move up.
        assert one.post(f"/v1/jobs/{second['id']}/cancel").json()["state"] == "cancelled"
        assert two.get(f"/v1/jobs/{third['id']}").json()["position"] == 1
        fourth = three.post("/v1/jobs", files=small_form(4)).json()
        assert (fourth["state"], fourth["position"]) == ("queued", 2)
        # One that runs is cancelled too, and its worker goes on with the next.
        assert one.post(f"/v1/jobs/{running}/cancel").json()["state"] == "cancelled"
        assert until(two, third["id"])["state"] == until(three, fourth["id"])["state"] == "done"
        done = two.post(f"/v1/jobs/{third['id']}/cancel").json()
        assert done == two.get(f"/v1/jobs/{third['id']}").json() and done["state"] == "done"
        late = one.get(f"/v1/jobs/{running}/result")
        assert (late.status_code, late.json()["detail"]) == (409, "the job has no result: it is cancelled")
        gone = one.get(f"/v1/jobs/{running}/references/0")
        assert gone.status_code == 404 and gone.json()["detail"].startswith(
            "the pictures of the job are kept no longer"
        )
        assert one.delete(f"/v1/jobs/{running}").status_code == 200
        assert one.get(f"/v1/jobs/{running}").status_code == 404


def test_a_job_that_is_removed_is_gone(
    server: Server, small_form: Callable[..., Form], long_form: Form, until: Until
) -> None:
    """Whether it waits, runs or has ended; and its worker goes on with the next."""
    with server.client("10.3.1.1") as client:
        running = client.post("/v1/jobs", files=long_form).json()["id"]
        until(client, running, "running")
        waiting = client.post("/v1/jobs", files=small_form(1)).json()["id"]
        for job in (waiting, running):
            assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"
            for path in ("", "/events", "/result", "/references/0"):
                assert client.get(f"/v1/jobs/{job}{path}").status_code == 404
            assert client.post(f"/v1/jobs/{job}/cancel").status_code == 404
            assert client.delete(f"/v1/jobs/{job}").status_code == 404
        ended = client.post("/v1/jobs", files=small_form(2)).json()["id"]
        assert until(client, ended)["state"] == "done"
        assert client.delete(f"/v1/jobs/{ended}").json()["state"] == "done"
        assert client.get(f"/v1/jobs/{ended}").status_code == 404


def test_two_clients_at_once_get_their_own_results(
    server: Server, small_form: Callable[..., Form], until: Until
) -> None:
    def work(number: int) -> bytes:
        with server.client(f"10.4.0.{number}") as client:
            job = client.post("/v1/jobs", files=small_form(10 * number)).json()["id"]
            assert until(client, job)["state"] == "done"
            return client.get(f"/v1/jobs/{job}/result").content

    with ThreadPoolExecutor(2) as pool:
        together = [*pool.map(work, (1, 2))]
    alone = [work(number) for number in (1, 2)]
    assert [pixels(content).tobytes() for content in together] == [pixels(content).tobytes() for content in alone]
    assert alone[0] != alone[1]


def test_what_the_service_says_of_itself(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/models").json() == {"models": [{"name": "tiny", "default": True}]}
    described = client.get("/openapi.json").json()
    assert {*described["paths"]} == {
        "/v1/images",
        "/v1/plan",
        "/v1/models",
        "/v1/jobs",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/cancel",
        "/v1/jobs/{job_id}/events",
        "/v1/jobs/{job_id}/result",
        "/v1/jobs/{job_id}/pictures/{what}",
        "/v1/jobs/{job_id}/references/{number}",
        "/v1/jobs/{job_id}/references/{number}/colours",
        "/v1/jobs/{job_id}/source",
    }
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    missing = client.get("/v1/jobs/a.nothing")
    assert (missing.status_code, missing.json()) == (404, {"detail": "there is no such job, or not any more"})


def test_no_answer_has_a_path_of_the_server(
    server: Server, client: httpx.Client, finished: dict[str, Any], tiny_weights: Path
) -> None:
    assert finished["id"].startswith("a.") and len(finished["id"]) > 40
    client.get(finished["location"])
    client.get(f"{finished['location']}/result?format=webp")
    client.get(f"{finished['location']}/source?x=-1&y=0")
    client.post("/v1/plan", files={"lr": ("x.png", b"no picture")})
    assert len(server.texts) > 8
    for text in server.texts:
        for folder in (server.folder, tiny_weights.parent, Path.home(), Path(__file__).parents[2]):
            assert str(folder) not in text
    assert "Traceback" not in (server.folder / "log").read_text()
