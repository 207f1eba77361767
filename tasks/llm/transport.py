"""The HTTP client that both SDKs are given: Anthropic's aiohttp client, with a shorter way for plain requests.

That client saves the SDKs from httpx's connection pool, which collapses at high concurrency, but still spends as
much CPU on a call as a bare aiohttp request does altogether: one that nothing special is asked of (no stream, no
proxy, no credentials in its URL) goes to aiohttp directly here. Everything else takes the ordinary way.
"""

import socket
import ssl
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal

import aiohttp
import httpx2
from multidict import CIMultiDict
from yarl import URL

CONNECT_SECONDS = 10.0
"""For TCP and TLS together; a host that needs longer is down."""
KEEP_SECONDS = 4.0
"""How long an idle connection is kept. Uvicorn, and so vLLM and most gateways, closes its end after 5 s of silence:
a request sent into that moment is lost, and nobody knows whether it was billed."""
HEADERS = "datasynth.headers"
"""Extension of a request that holds its headers in aiohttp's form; it never leaves the process."""
PROBE_SECONDS = 60
"""Silence after which the kernel asks whether the other end still lives, as in the SDKs' own clients: a router
forgets a connection that waits for a long answer."""


def http_client(sdk: Literal["anthropic", "openai"], *, timeout: float | None, limit: int) -> httpx2.AsyncClient:
    """A client for `AsyncAnthropic(http_client=...)` or `AsyncOpenAI(http_client=...)`; opens no connection yet.

    Args:
        sdk: whose client it builds on; they are alike, and importing the other one would take seconds.
        timeout: seconds for a whole plain call, from asking for a connection to the last byte; for a streamed one,
            the longest silence. None where the caller holds a clock over each call: a second one costs as much CPU.
        limit: most connections of either kind.
    """
    return _lean_client(sdk)(timeout=timeout, limit=limit)


@lru_cache
def tls_context() -> ssl.SSLContext:
    """Of all clients of this process. Reading the certificates takes a tenth of a second, without the interpreter."""
    return httpx2.create_ssl_context()


@lru_cache
def _lean_client(sdk: str) -> Any:
    return type("LeanClient", (_Lean, import_module(sdk).DefaultAioHttpClient), {})


def repeated(request: httpx2.Request, content: bytes) -> httpx2.Request:
    """`request`, made by `http_client`'s client, once more with another body."""
    if HEADERS not in request.extensions:
        request.extensions[HEADERS] = _for_aiohttp(request.headers)
    again = httpx2.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=httpx2.ByteStream(content),
        extensions=request.extensions,
    )
    again.read()
    return again


class _Lean(httpx2.AsyncClient):
    """The short way, mixed into an SDK's client."""

    def __init__(self, *, timeout: float | None, limit: int) -> None:
        tls = tls_context()
        super().__init__(
            verify=tls,
            timeout=httpx2.Timeout(timeout, connect=min(timeout or CONNECT_SECONDS, CONNECT_SECONDS)),
            limits=httpx2.Limits(max_connections=limit, keepalive_expiry=KEEP_SECONDS),
        )
        self._wire = _Wire(limit, tls)

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
        """What httpx2 builds, without parsing the same URL again for each call and merging headers the SDKs set.

        Nor are `Host` and `Content-Length` there: aiohttp adds them.
        """
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
        request.read()
        # Only what httpx2 can decode; aiohttp would add an offer of its own.
        request.headers.setdefault("accept-encoding", self.headers["accept-encoding"])
        return request

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        if auth is httpx2.USE_CLIENT_DEFAULT and request.url.userinfo:
            # httpx lets them win over an Authorization header; aiohttp, seeing both, sends nothing.
            auth = httpx2.BasicAuth(request.url.username, request.url.password)
            request.url = request.url.copy_with(userinfo=b"")
        if not stream and auth is httpx2.USE_CLIENT_DEFAULT and self._is_plain(request.url):
            response = await self._wire.answer(request)
            if not response.has_redirect_location:
                return response
            # Whoever redirects has done nothing, so the ordinary way may ask again, and follow.
        try:
            return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        except httpx2.ConnectError as error:
            # It calls any lost connection a ConnectError: only aiohttp's own kind says that the request never left.
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise
            raise httpx2.ReadError(str(error), request=request) from error.__cause__

    def _is_plain(self, url: httpx2.URL) -> bool:
        # The environment's proxies are mounted beside the one transport for all other hosts.
        return not self.is_closed and self._transport_for_url(url) is self._transport

    async def aclose(self) -> None:
        await super().aclose()
        await self._wire.close()


class _Wire:
    """An aiohttp session for whole requests and whole responses, opened on the loop of its first request."""

    def __init__(self, limit: int, tls: Any) -> None:
        self._limit = limit
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limit, ssl=self._tls, keepalive_timeout=KEEP_SECONDS, socket_factory=_probed_socket
        )
        # httpx2.Response decompresses; a model's API has no use for cookies.
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        return self._session

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The whole response, redirects not followed.

        Raises:
            httpx2.RequestError: none came; a `ConnectError` or `ConnectTimeout` says that the request never left.
        """
        limits = request.extensions.get("timeout", {})
        try:
            async with (self._session or self._open()).request(
                request.method,
                _quoted(str(request.url)),
                data=request.content or None,
                headers=request.extensions.get(HEADERS) or _for_aiohttp(request.headers),
                timeout=_limits(limits.get("read"), limits.get("connect")),
                allow_redirects=False,
                server_hostname=request.extensions.get("sni_hostname"),
            ) as reply:
                body = await reply.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = _kind_of(error)
            raise kind(str(error) or type(error).__name__, request=request) from error
        return httpx2.Response(reply.status, headers=reply.raw_headers, content=body, request=request)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _for_aiohttp(headers: httpx2.Headers) -> CIMultiDict[str]:
    # The SDKs encode header text as UTF-8, and so does aiohttp.
    return CIMultiDict([(name.decode(), value.decode()) for name, value in headers.raw])


def _kind_of(error: Exception) -> type[httpx2.RequestError]:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx2.ConnectTimeout
    if isinstance(error, TimeoutError):
        return httpx2.ReadTimeout
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx2.ConnectError
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return httpx2.UnsupportedProtocol
    return httpx2.ReadError


# A run has one or two URLs and one set of limits; parsing or checking them costs more than the whole way back.
@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx2.URL:
    return httpx2.URL(url)


@lru_cache(maxsize=64)
def _quoted(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _limits(whole: float | None, connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=whole, sock_connect=connect)


def _probed_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Absent on some systems, which then probe at their own pace.
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), PROBE_SECONDS)
    return made
