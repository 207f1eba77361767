"""Through the real SDKs to servers on loopback: the short way says and does what the SDKs' own client would."""

import asyncio
import gzip
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import httpx2
import openai
import orjson
import pytest
from aiohttp import web

from datasynth.tasks.llm import transport
from datasynth.tasks.llm.transport import http_client

Sdk = anthropic.AsyncAnthropic | openai.AsyncOpenAI
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ASK = {"model": "m", "messages": [{"role": "user", "content": "你好"}]}
SDKS = [anthropic.AsyncAnthropic, openai.AsyncOpenAI]
KINDS: dict[Any, dict[str, Any]] = {
    anthropic.AsyncAnthropic: {"timeout": anthropic.APITimeoutError, "connection": anthropic.APIConnectionError},
    openai.AsyncOpenAI: {"timeout": openai.APITimeoutError, "connection": openai.APIConnectionError},
}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A web server that answers every path with `handler`; yields its base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def listening(connected: Any) -> AsyncIterator[str]:
    """A server that hands each connection's reader and writer to `connected`."""
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def asking(kind: type[Sdk], url: str, *, seconds: float = 20.0, **options: Any) -> AsyncIterator[Sdk]:
    """An SDK client over ours."""
    client: Any = kind(
        api_key="key",
        base_url=url,
        max_retries=0,
        timeout=seconds,
        http_client=http_client("anthropic", timeout=seconds, limit=8),
        **options,
    )
    try:
        yield client
    finally:
        await client.close()


async def ask(sdk: Sdk, path: str = "/v1/x") -> httpx2.Response:
    return await sdk.post(path, cast_to=httpx2.Response, body=ASK)


async def echo(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    return web.json_response({"body": body, "headers": dict(request.headers), "path": request.path_qs})


async def never(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.Event().wait()
    raise AssertionError


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    await reader.readexactly(length)


def same_headers(echoed: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in echoed["headers"].items() if name.lower() != "host"}


@pytest.mark.parametrize("kind", SDKS)
async def test_the_server_sees_what_the_sdks_own_client_would_send(kind: type[Sdk]) -> None:
    async with serving(echo) as url, asking(kind, url) as lean, kind(api_key="key", base_url=url) as own:
        ours, theirs = (await ask(lean)).json(), (await ask(own.with_options(timeout=20.0))).json()
        assert ours["body"] == theirs["body"]
        assert same_headers(ours) == {k: v for k, v in same_headers(theirs).items() if k != "connection"}


async def test_host_is_the_address_that_was_asked() -> None:
    async with serving(echo) as url, asking(openai.AsyncOpenAI, url) as sdk:
        assert (await ask(sdk)).json()["headers"]["Host"] == url.removeprefix("http://")


async def test_header_text_outside_latin_arrives_as_utf_8() -> None:
    async def seen(request: web.Request) -> web.Response:
        return web.Response(body=dict(request.raw_headers)[b"X-Team"])

    headers = {"X-Team": "数据组"}
    async with serving(seen) as url, asking(anthropic.AsyncAnthropic, url, default_headers=headers) as sdk:
        assert (await ask(sdk)).content == "数据组".encode()


async def test_a_path_is_sent_as_it_was_written() -> None:
    async with serving(echo) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        assert (await ask(sdk, "/v1/a%2Fb?v=1%2D0")).json()["path"] == "/v1/a%2Fb?v=1%2D0"


async def test_an_ipv6_server_is_reached() -> None:
    async with serving(echo, host="::1") as url, asking(openai.AsyncOpenAI, url) as sdk:
        assert (await ask(sdk)).status_code == 200


async def test_a_compressed_answer_is_read() -> None:
    async def compressed(request: web.Request) -> web.Response:
        assert "gzip" in request.headers["accept-encoding"]
        return web.Response(body=gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"})

    async with serving(compressed) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        assert (await ask(sdk)).json() == {"a": 1}


@pytest.mark.parametrize("kind", SDKS)
async def test_an_answer_that_is_not_what_its_encoding_says_is_a_connection_error(kind: type[Sdk]) -> None:
    async def wrong(_: web.Request) -> web.Response:
        return web.Response(body=b"plain", headers={"content-encoding": "gzip"})

    async with serving(wrong) as url, asking(kind, url) as sdk:
        with pytest.raises(KINDS[kind]["connection"]) as caught:
            await ask(sdk)
        assert isinstance(caught.value.__cause__, httpx2.DecodingError)


async def test_a_redirect_is_followed_with_its_body() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/x":
            return web.Response(status=307, headers={"location": "/moved"})
        return await echo(request)

    async with serving(handler) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        answer = (await ask(sdk)).json()
        assert (answer["path"], orjson.loads(answer["body"])) == ("/moved", ASK)


async def test_an_error_status_comes_with_its_body_and_headers() -> None:
    async def refused(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "7"})

    async with serving(refused) as url, asking(openai.AsyncOpenAI, url) as sdk:
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(sdk)
        assert caught.value.body == {"message": "slow down"}
        assert caught.value.response.headers["retry-after"] == "7"


async def test_cookies_are_not_sent_back() -> None:
    async def baking(request: web.Request) -> web.Response:
        return web.json_response(dict(request.cookies), headers={"set-cookie": "a=1"})

    async with serving(baking) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        await ask(sdk)
        assert (await ask(sdk)).json() == {}


@pytest.mark.parametrize("kind", SDKS)
async def test_silence_is_a_timeout_that_may_be_billed(kind: type[Sdk]) -> None:
    async with serving(never) as url, asking(kind, url, seconds=0.2) as sdk:
        with pytest.raises(KINDS[kind]["timeout"]) as caught:
            await ask(sdk)
        assert isinstance(caught.value.__cause__, httpx2.ReadTimeout)


async def test_an_answer_that_drips_is_over_when_its_time_is() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    async with serving(drip) as url, asking(anthropic.AsyncAnthropic, url, seconds=0.3) as sdk:
        with pytest.raises(anthropic.APITimeoutError):
            await ask(sdk)


@pytest.mark.parametrize("kind", SDKS)
async def test_a_port_where_nobody_listens_is_an_error_of_connecting(kind: type[Sdk]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with asking(kind, f"http://127.0.0.1:{free.getsockname()[1]}") as sdk:
            with pytest.raises(KINDS[kind]["connection"]) as caught:
                await ask(sdk)
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)
    assert isinstance(caught.value.__cause__.__cause__, aiohttp.ClientConnectorError)


async def test_a_host_that_takes_no_connection_is_a_timeout_of_connecting() -> None:
    # A full backlog: the kernel leaves the next handshake unanswered.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        async with asking(openai.AsyncOpenAI, f"http://127.0.0.1:{full.getsockname()[1]}", seconds=5.0) as sdk:
            request = sdk._client.build_request(
                "POST", sdk.base_url, content=b"x", timeout=httpx2.Timeout(5, connect=0.2)
            )
            with pytest.raises(httpx2.ConnectTimeout):
                await sdk._client.send(request)


@pytest.mark.parametrize("kind", SDKS)
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_an_answer_that_breaks_off_is_no_error_of_connecting(kind: type[Sdk], answer: bytes) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        writer.close()

    async with listening(breaking) as url, asking(kind, url) as sdk:
        with pytest.raises(KINDS[kind]["connection"]) as caught:
            await ask(sdk)
    assert isinstance(caught.value.__cause__, httpx2.ReadError)
    assert isinstance(caught.value.__cause__.__cause__, aiohttp.ClientError)


async def test_a_stream_whose_connection_breaks_before_the_answer_is_no_error_of_connecting() -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.close()

    async with listening(breaking) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        client: Any = sdk
        with pytest.raises(anthropic.APIConnectionError) as caught:
            async with client.messages.stream(**ASK, max_tokens=9):
                pass
    assert isinstance(caught.value.__cause__, httpx2.ReadError)


async def test_a_stream_arrives_in_parts() -> None:
    first_read = asyncio.Event()

    async def parts(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        await first_read.wait()
        await response.write(b"two")
        return response

    async with serving(parts) as url:
        client = http_client("anthropic", timeout=20, limit=2)
        async with client.stream("POST", url, content=b"x") as response:
            seen = []
            async for part in response.aiter_bytes():
                seen.append(part)
                first_read.set()
        await client.aclose()
    assert seen == [b"one", b"two"]


async def test_a_cancelled_call_ends_at_the_server_too() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def held(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with serving(held) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        call = asyncio.create_task(ask(sdk))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(ended.wait(), 10)


async def test_calls_in_flight_stay_within_the_limit_and_share_connections() -> None:
    peers: set[Any] = set()

    async def noting(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async with serving(noting) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        await asyncio.gather(*(ask(sdk) for _ in range(40)))
    assert 1 <= len(peers) <= 8


@pytest.mark.parametrize("stream", [False, True])
async def test_a_proxy_from_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.Response(text=request.raw_path if request.raw_path.startswith("http") else str(request.url))

    async with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        client = http_client("anthropic", timeout=20, limit=2)
        request = client.build_request("POST", "http://model.invalid/v1/x", content=b"x")
        response = await client.send(request, stream=stream)
        assert await response.aread() == b"http://model.invalid/v1/x"
        await client.aclose()


async def test_a_host_excepted_from_the_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with serving(echo) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        assert (await ask(sdk)).status_code == 200


async def test_credentials_in_the_url_win_over_the_key() -> None:
    async with serving(echo) as url, asking(openai.AsyncOpenAI, url.replace("://", "://me:secret@")) as sdk:
        assert (await ask(sdk)).json()["headers"]["Authorization"] == "Basic bWU6c2VjcmV0"


async def test_forms_and_queries_are_built_as_httpx_builds_them() -> None:
    async with serving(echo) as url:
        client = http_client("anthropic", timeout=20, limit=2)
        answer = (await client.post(url, data={"a": "1"}, params={"q": "x y"})).json()
        assert (answer["body"], answer["path"]) == ("a=1", "/?q=x+y")
        await client.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1; its key lies beside it."""
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    curve, name = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], ["-subj", "/CN=loopback"]
    where = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(["openssl", "req", "-x509", "-nodes", *curve, *name, *where], check=True, capture_output=True)
    return path


@asynccontextmanager
async def serving_tls(certificate: Path) -> AsyncIterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
    async with serving(echo, tls=tls) as url:
        yield url


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with serving_tls(certificate) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        with pytest.raises(anthropic.APIConnectionError) as caught:
            await ask(sdk)
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)
    assert isinstance(caught.value.__cause__.__cause__, aiohttp.ClientConnectorCertificateError)


async def test_a_certificate_of_the_operators_own_authority_is_accepted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(transport, "tls_context", transport.tls_context.__wrapped__)  # as in a new process
    async with serving_tls(certificate) as url, asking(anthropic.AsyncAnthropic, url) as sdk:
        assert (await ask(sdk)).status_code == 200


async def test_a_closed_client_sends_nothing() -> None:
    async with serving(echo) as url:
        client = http_client("anthropic", timeout=20, limit=2)
        await client.post(url, content=b"x")
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.post(url, content=b"x")


async def test_an_address_that_is_no_url_of_the_web_is_unsupported() -> None:
    client = http_client("anthropic", timeout=20, limit=2)
    with pytest.raises(httpx2.UnsupportedProtocol):
        await client.post("ftp://127.0.0.1/x", content=b"x")
    await client.aclose()
