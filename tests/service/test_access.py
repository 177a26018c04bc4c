"""Hosts, origins, tokens and headers, before an application that says where it was reached."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ttsr.service.access import Access, client_address
from ttsr.service.application import create_application
from ttsr.service.settings import ServiceSettings

TOKEN = "0123456789abcdefg"


def client(**settings: Any) -> TestClient:
    async def reached(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    application = Starlette(routes=[Route("/{path:path}", reached, methods=["GET", "POST", "DELETE"])])
    statuses: list[int] = []
    application.add_middleware(Access, settings=ServiceSettings(**settings), answered=statuses.append)
    return TestClient(application, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "localhost:9", "[::1]:8000", "LOCALHOST", "me.example"]
)
def test_it_answers_to_its_own_names(host: str) -> None:
    assert client(allow_hosts=("me.example",)).get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8000",
        "10.0.0.1",
        "",
        "localhost.",
        "127.0.0.1:evil.example",
        "127.0.0.1:80@evil.example",
        "127.0.0.1/evil.example",
        "[::1]evil.example",
        "[::2]:8000",
        "0x7f.1",
        "me.example.evil.example",
    ],
)
def test_it_does_not_answer_to_a_name_that_was_pointed_at_it(host: str) -> None:
    answer = client(allow_hosts=("me.example",)).get("/v1/models", headers={"Host": host})
    assert answer.status_code == 421 and "is not called so" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8000", 200),
        ("https://friend.example", 200),
        ("https://evil.example", 403),
        ("http://127.0.0.1:9000", 403),
        ("null", 403),
        ("", 403),
        ("http://127.0.0.1:8000.evil.com", 403),
        ("http://evil.com/127.0.0.1:8000", 403),
        ("http://evil.com#://127.0.0.1:8000", 403),
        ("file://127.0.0.1:8000", 403),
        ("https://friend.example.evil.com", 403),
        ("https://friend.example:444", 403),
        ("http://friend.example", 403),
    ],
)
def test_pages_of_other_origins_may_not_change_anything(origin: str, status: int) -> None:
    open_to_friend = client(allow_origins=("https://friend.example",))
    assert open_to_friend.post("/v1/jobs", headers={"Origin": origin}).status_code == status
    assert open_to_friend.delete("/v1/jobs/x", headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize(
    "given", [{}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}]
)
def test_without_the_token_only_what_needs_none(given: dict[str, str]) -> None:
    guarded = client(host="0.0.0.0", token=TOKEN)
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        answer = guarded.get(path, headers=given)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert TOKEN not in answer.text
    for path in ("/v1/jobs", "/v1/images", "/v1/plan", "/"):
        assert guarded.post(path, headers=given).status_code == 401
    assert guarded.delete("/v1/jobs/secret", headers=given).status_code == 401
    # Pictures and events of a page can send no token: there the job's id is the secret.
    for path in ("/healthz", "/readyz", "/", "/page/page.js", "/v1/jobs/secret", "/v1/jobs/secret/events"):
        assert guarded.get(path, headers=given).status_code == 200


def test_with_the_token_everything() -> None:
    guarded = client(host="0.0.0.0", token=TOKEN)
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} {TOKEN}", "Host": "any.example"}
        assert guarded.get("/metrics", headers=headers).status_code == 200
        assert guarded.post("/v1/jobs", headers=headers).status_code == 200


def test_pages_of_an_origin_that_is_allowed_may_ask() -> None:
    settings = ServiceSettings(allow_origins=("https://friend.example",))
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    application = TestClient(create_application(settings), base_url="http://127.0.0.1")
    friend = application.options("/v1/jobs", headers={"Origin": "https://friend.example", **asked})
    assert friend.headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-credentials" not in friend.headers and "Origin" in friend.headers["vary"]
    for origin in ("https://evil.example", "null", "https://friend.example.evil.com"):
        other = application.options("/v1/jobs", headers={"Origin": origin, **asked})
        assert other.status_code == 400 and "access-control-allow-origin" not in other.headers


def test_headers_of_every_answer() -> None:
    for answer in (client().get("/v1/models"), client().get("/v1/models", headers={"Host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
    shared = client(allow_origins=("https://friend.example",)).get("/v1/models")
    assert "cross-origin-resource-policy" not in shared.headers


def test_an_error_of_ours_is_one_line_with_the_same_headers(capsys: pytest.CaptureFixture[str]) -> None:
    async def fails(request: Request) -> PlainTextResponse:
        raise OSError("/secret/place")

    application, statuses = Starlette(routes=[Route("/v1/fails", fails)]), list[int]()
    application.add_middleware(Access, settings=ServiceSettings(), answered=statuses.append)
    answer = TestClient(application, base_url="http://127.0.0.1").get("/v1/fails")
    assert (answer.status_code, statuses) == (500, [500])
    assert answer.json() == {"detail": "an error of the service, which its log describes"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "/secret/place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_jobs_are_counted_by_address_and_of_ipv6_by_network(host: str, counted: str) -> None:
    assert client_address({"type": "http", "client": (host, 1)}) == counted
