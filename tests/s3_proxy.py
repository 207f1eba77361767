"""A loopback proxy before an S3 server, which does to requests what networks and busy servers do."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from s3_server import S3

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
Fault = Callable[[int, str, str], str | None]
"""From the number of a request (from 1), its method and its path to what happens to it:

`slow`: 503 SlowDown. `reset`: the connection is reset, the server never hears of it. `cut`: the server gets half of the
body, then both ends are reset. `lost`: the server does it, and its answer is lost. `held`: the server gets half of the
body, and then nothing more while the proxy lives. None: it passes.
"""


@dataclass
class Proxy:
    """A running proxy; `fault` may be changed at any time."""

    url: str
    fault: Fault = lambda number, method, path: None
    done: list[str] = field(default_factory=list)
    """What was done to requests, in order."""
    holding: threading.Event = field(default_factory=threading.Event)
    """Set once a request is held in its middle."""
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: int = 0

    def verdict(self, method: str, path: str) -> str | None:
        with self.lock:
            self.seen += 1
            verdict = self.fault(self.seen, method, path)
            if verdict:
                self.done.append(verdict)
            return verdict


@contextmanager
def s3_proxy(s3: S3) -> Iterator[Proxy]:
    """Runs a proxy before `s3`."""
    upstream = urlsplit(s3.environment["AWS_ENDPOINT_URL"]).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    _Handler.routes[server.server_port] = (proxy, upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: dict[int, tuple[Proxy, str]] = {}

    def _serve(self) -> None:
        proxy, upstream = self.routes[self.connection.getsockname()[1]]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        verdict = proxy.verdict(self.command, self.path)
        if verdict == "slow":
            self._answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
        elif verdict == "reset":
            self._reset(self.connection)
        else:
            self._forward(proxy, upstream, body, verdict)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names that are looked for

    def _forward(self, proxy: Proxy, upstream: str, body: bytes, verdict: str | None) -> None:
        server = http.client.HTTPConnection(upstream, timeout=30)
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                server.putheader(name, value)
        server.endheaders()
        if verdict in ("cut", "held"):
            server.send(body[: len(body) // 2])
            if verdict == "held":
                proxy.holding.set()
                proxy.released.wait()
            self._reset(server.sock)
            self._reset(self.connection)
            return
        server.send(body)
        answer = server.getresponse()
        content = answer.read()
        server.close()
        if verdict == "lost":
            self._reset(self.connection)
        else:
            self._answer(answer.status, dict(answer.getheaders()), content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        # The answer to HEAD has the length of what is not sent.
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        if status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self, connection: socket.socket) -> None:
        self.close_connection = True
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closing is left to whoever holds the file objects as well: shutdown would send an orderly end.
        socket.socket(fileno=connection.detach()).close()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # reset on purpose
            super().finish()
