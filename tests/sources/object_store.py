"""Just enough of S3 to be read from by a real client, over one folder: the key is looked at, no signature.

Debian 12 has no S3 server, and those of Python (moto) bring more than 50 MB. Amazon S3 API Reference:
ListObjects, HeadObject, GetObject.
"""

import http.server
import threading
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

ID = "vigie-id"


class ObjectStore(http.server.ThreadingHTTPServer):
    """Serves the files below `top` as objects of the bucket "bucket", under "deep/"."""

    daemon_threads = True

    def __init__(self, top: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.top = top
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def location(self) -> str:
        return f"s3:http://127.0.0.1:{self.server_port}/bucket/deep"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ObjectStore
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        _, bucket, *rest = unquote(parts.path).split("/", 2)
        if f"Credential={ID}/" not in self.headers.get("Authorization", ""):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif bucket == "bucket" and not any(rest):
            self._list(parse_qs(parts.query).get("prefix", [""])[0])
        else:
            self._object("/".join(rest))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _list(self, prefix: str) -> None:
        files = []
        for path in sorted(self.server.top.rglob("*")):
            key = f"deep/{path.relative_to(self.server.top)}"
            # Only what a client that asks for the files of one folder needs: no common prefixes.
            if path.is_file() and key.startswith(prefix) and "/" not in key.removeprefix(prefix):
                size = path.stat().st_size
                when = "2026-11-24T00:00:00.000Z"
                files.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
                    f"<LastModified>{when}</LastModified></Contents>"
                )
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(files)}</ListBucketResult>"
        self._answer(200, body.encode())

    def _object(self, key: str) -> None:
        path = self.server.top / key.removeprefix("deep/")
        if not key.startswith("deep/") or not path.is_file():
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        data = path.read_bytes()
        if wanted := self.headers.get("Range", "").removeprefix("bytes="):
            first, _, last = wanted.partition("-")
            end = min(int(last or len(data) - 1), len(data) - 1)
            self._answer(206, data[int(first) : end + 1], f"bytes {first}-{end}/{len(data)}")
        else:
            self._answer(200, data)

    def _answer(self, status: int, body: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", formatdate(usegmt=True))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's signature
        """Nothing is said of each request."""
