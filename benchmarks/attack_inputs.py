"""What `service_attack.py` sends: requests that are malformed, forms that are bombs, pictures that are bombs, names."""

import io
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

Files = list[tuple[str, str, bytes]]
BOUNDARY = b"b"


def png(width: int, height: int, seed: int = 0) -> bytes:
    """Noise, which compresses badly."""
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG", compress_level=1)
    return file.getvalue()


def form(files: Files, fields: list[tuple[str, str]] = []) -> bytes:  # noqa: B006  (it is read only)
    """The body of a form."""
    body = b"".join(_part(name, value.encode()) for name, value in fields)
    return body + b"".join(_part(name, data, filename) for name, filename, data in files) + b"--b--\r\n"


def _part(name: str, data: bytes, filename: str | None = None) -> bytes:
    told = "" if filename is None else f'; filename="{filename}"'
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{told}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + data + b"\r\n"


def post(path: str, body: bytes, host: str = "127.0.0.1") -> bytes:
    """A request with a form."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """A request without a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


_OK = b"Host: 127.0.0.1\r\nConnection: close\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_KIND = b"Content-Type: multipart/form-data; boundary=b\r\n"
MALFORMED = {
    "two lengths": b"POST /v1/plan HTTP/1.1\r\n" + _OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length and chunks": b"POST /v1/plan HTTP/1.1\r\n"
    + _OK
    + _KIND
    + _CHUNKED
    + b"Content-Length: 4\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "chunked twice": b"POST /v1/plan HTTP/1.1\r\n" + _OK + _KIND + _CHUNKED + _CHUNKED + b"\r\n0\r\n\r\n",
    "chunked, oddly": b"POST /v1/plan HTTP/1.1\r\n" + _OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a space in a header": b"GET /v1/models HTTP/1.1\r\n" + _OK + b"Content-Length : 5\r\n\r\n",
    "a folded header": b"GET /v1/models HTTP/1.1\r\n" + _OK + b"X: a\r\n b\r\n\r\n",
    "lines without CR": b"GET /v1/models HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n",
    "a chunk of 2**70": b"POST /v1/plan HTTP/1.1\r\n" + _OK + _KIND + _CHUNKED + b"\r\n" + b"f" * 18 + b"\r\nx",
    "a bad chunk": b"POST /v1/plan HTTP/1.1\r\n" + _OK + _KIND + _CHUNKED + b"\r\n-1\r\nx\r\n",
    "a negative length": b"POST /v1/plan HTTP/1.1\r\n" + _OK + b"Content-Length: -5\r\n\r\n",
    "a length of 30 digits": b"POST /v1/plan HTTP/1.1\r\n"
    + _OK
    + _KIND
    + b"Content-Length: "
    + b"9" * 30
    + b"\r\n\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1/models HTTP/1.1\r\n" + _OK + b"Host: evil.example\r\n\r\n",
    "a host elsewhere": b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "an address as target": b"GET http://evil.example/v1/models HTTP/1.1\r\n" + _OK + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "NULs": b"\0" * 1000 + b"\r\n\r\n",
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "HTTP/9.9": b"GET /v1/models HTTP/9.9\r\n" + _OK + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header of 1 MB": b"GET /v1/models HTTP/1.1\r\n" + _OK + b"X: " + b"x" * 2**20 + b"\r\n\r\n",
    "100,000 headers": b"GET /v1/models HTTP/1.1\r\n" + _OK + b"X: x\r\n" * 100_000 + b"\r\n",
    "a path of 1 MB": b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\n" + _OK + b"\r\n",
    "a path with NUL": b"GET /v1/jobs/%00 HTTP/1.1\r\n" + _OK + b"\r\n",
    "a path upwards": b"GET /page/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + _OK + b"\r\n",
    "a line break in a path": b"GET /v1/jobs/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\n"
    + _OK
    + b"Connection: close\r\n\r\n",
    "no UTF-8 in a path": b"GET /v1/jobs/%ff%fe HTTP/1.1\r\n" + _OK + b"\r\n",
    "a WebSocket": get("/v1/jobs/x/events", "Upgrade: websocket", "Sec-WebSocket-Version: 13").replace(
        b"close", b"Upgrade, close"
    ),
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + _OK + b"\r\n",
    "TRACE": get("/v1/models", method="TRACE"),
    "an unknown method": get("/v1/models", method="X" * 100),
    "1000 ranges": get("/v1/models", "Range: bytes=" + ",".join(["0-"] * 1000)),
    "100 pipelined": get("/healthz").replace(b"Connection: close\r\n", b"") * 99 + get("/healthz"),
}

_FIELD = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
_FILE = b'--b\r\nContent-Disposition: form-data; name="reference"; filename="x.png"\r\n\r\n1\r\n'
FORMS = {
    "100,000 fields": _FIELD * 100_000 + b"--b--\r\n",
    "100,000 files": _FILE * 100_000 + b"--b--\r\n",
    "a name of 10 MB": b'--b\r\nContent-Disposition: form-data; name="' + b"x" * 10**7 + b'"\r\n\r\n1\r\n--b--\r\n',
    "a header of 10 MB": b"--b\r\nX: " + b"x" * 10**7 + b"\r\n\r\n1\r\n--b--\r\n",
    "1,000,000 headers": b"--b\r\n" + b"X: x\r\n" * 10**6 + b"\r\n1\r\n--b--\r\n",
    "a field of 10 MB": _FIELD.replace(b"1\r\n", b"1" * 10**7 + b"\r\n") + b"--b--\r\n",
    "no end": _FIELD + b"--b\r\nContent-Disposition: form-data",
    "nothing": b"",
    "only line breaks": b"\r\n" * 10**6,
    "only dashes": b"-" * 10**7,
    "almost boundaries": b"\r\n--a" * 10**6,
    "nested": b'--b\r\nContent-Disposition: form-data; name="lr"; filename="a"\r\n'
    b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
    "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n",
    "base64": b'--b\r\nContent-Disposition: form-data; name="lr"; filename="a"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n",
    "another charset": b"--b\r\nContent-Disposition: form-data; name*=utf-16''%ff%fe; filename*=utf-7''+AAA-\r\n\r\n"
    b"1\r\n--b--\r\n",
}

NAMES = [
    "../../../etc/passwd",
    r"..\..\windows\win.ini",
    "/etc/shadow",
    "C:\\x.png",
    "a\0b.png",
    "a\r\nSet-Cookie: a=b.png",
    "a%0d%0aX: y.png",
    'a"; filename="b.png',
    "\u202egnp.exe",
    "\ud800.png".encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"),
    "ü" * 3000 + ".png",
    "<img src=x onerror=alert(1)>.png",
    "",
    ".",
    "..",
    "con.png",
    "-rf.png",
    "~",
    "${HOME}.png",
    "file:///etc/passwd",
]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_bomb(width: int, height: int, num_bytes: int, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * num_bytes, 9)
    parts = [_chunk(b"IHDR", head), *more, _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def picture_bombs(side: int = 7000, num_bytes: int = 200_000_000) -> dict[str, bytes]:
    """Files of few bytes that are, or say that they are, pictures of many pixels, or that unpack to so many bytes."""
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * num_bytes, 9))
    profile = _chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * num_bytes, 9))
    gray = Image.new("L", (side, side))
    return {
        "2**31 x 2**31 pixels": _png_bomb(2**31 - 1, 2**31 - 1, 1000),
        "PNG of many pixels": _png_bomb(side, side, side * (3 * side + 1)),
        "JPEG of many pixels": _saved(gray, "JPEG"),
        "WebP of many pixels": _saved(gray, "WEBP"),
        "TIFF of many pixels": _saved(gray, "TIFF", compression="tiff_lzw"),
        "GIF of many pixels": _saved(gray, "GIF"),
        "too little data": _png_bomb(side, side, 1000),
        "too much data": _png_bomb(10, 10, num_bytes),
        "a long text": _png_bomb(10, 10, 310, text),
        "a long profile": _png_bomb(10, 10, 310, profile),
        "markup": b"GIF89a" + b"<script>alert(1)</script>" * 100,
        "SVG with entities": b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "zip": b"PK\x03\x04" + b"\0" * 100,
    }
