"""The HTTP client that both SDKs are given: httpx2 outside, one aiohttp session inside.

draft
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import httpx2
from multidict import CIMultiDict
from yarl import URL

CONNECT_SECONDS = 10.0
"""For TCP and TLS together; a host that needs longer is down."""

KEEP_SECONDS = 4.0
"""How long an idle connection is kept. Uvicorn, and so vLLM and most gateways, closes its end after 5 s of silence:
a request sent into that moment is lost, and nobody knows whether it was billed."""


def http_client(*, timeout: float, limit: int) -> httpx2.AsyncClient:
    """A client for `AsyncAnthropic(http_client=...)` and `AsyncOpenAI(http_client=...)`."""
    return _LeanClient(timeout=timeout, limit=limit)


class _LeanClient(httpx2.AsyncClient):
    """Plain requests take the short way; all others the ordinary one of httpx2, over the same session."""

    def __init__(self, *, timeout: float, limit: int) -> None:
        self._wire = _Wire(limit)
        super().__init__(
            transport=self._wire,
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            follow_redirects=True,
        )
        self._encodings = self.headers["accept-encoding"]

    def build_request(
        self,
        method: str,
        url: httpx2.URL | str,
        *,
        content: Any = None,
        headers: Any = None,
        timeout: Any = httpx2.USE_CLIENT_DEFAULT,
        **others: Any,
    ) -> httpx2.Request:
        """What httpx2 builds, but for `Host` and `Content-Length`, which aiohttp adds."""
        if type(content) is not bytes or any(value is not None for value in others.values()):
            return super().build_request(method, url, content=content, headers=headers, timeout=timeout, **others)
        limits = self.timeout if timeout is httpx2.USE_CLIENT_DEFAULT else httpx2.Timeout(timeout)
        request = httpx2.Request(
            method,
            _parsed(url) if isinstance(url, str) else url,
            headers=headers,
            stream=httpx2.ByteStream(content),
            extensions={"timeout": limits.as_dict()},
        )
        request.headers.setdefault("accept-encoding", self._encodings)
        request.read()
        return request

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        if not stream and auth is httpx2.USE_CLIENT_DEFAULT and not self.is_closed and not request.url.userinfo:
            response = await self._wire.answer(request)
            if not response.is_redirect:
                return response
        return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx2.URL:
    return httpx2.URL(url)


@lru_cache(maxsize=64)
def _total(seconds: float | None, connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=connect)


@dataclass(frozen=True)
class _Way:
    """Where aiohttp sends what is meant for one URL."""

    url: URL
    proxy: str | None = None
    proxy_headers: dict[str, str] | None = None


class _Wire(httpx2.AsyncBaseTransport):
    """One aiohttp session, opened on the loop of its first request."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._way = lru_cache(maxsize=64)(_way)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._limit, ssl=self._tls, keepalive_timeout=KEEP_SECONDS, socket_factory=_lasting_socket
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    def _ask(self, request: httpx2.Request, body: Any, timeout: aiohttp.ClientTimeout):
        way = self._way(str(request.url))
        return (self._session or self._open()).request(
            request.method,
            way.url,
            data=body or None,
            headers=CIMultiDict([(k.decode("ascii"), v.decode()) for k, v in request.headers.raw]),
            timeout=timeout,
            allow_redirects=False,
            proxy=way.proxy,
            proxy_headers=way.proxy_headers,
            server_hostname=request.extensions.get("sni_hostname"),
        )

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The whole response, within the time the request has for reading, connection and all."""
        limits = request.extensions["timeout"]
        with _translated(request):
            async with self._ask(request, request.content, _total(limits["read"], limits["connect"])) as reply:
                body = await reply.read()
                return httpx2.Response(reply.status, headers=reply.raw_headers, content=body, request=request)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


@contextmanager
def _translated(request: httpx2.Request) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientError as error:
        raise httpx2.ReadError(str(error), request=request) from error


def _way(url: str) -> _Way:
    return _Way(URL(url, encoded=True))


def _lasting_socket(address):
    family, kind, protocol, _, _ = address
    return socket.socket(family, kind, protocol)
