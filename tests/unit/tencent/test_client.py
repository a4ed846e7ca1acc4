"""The cloud client, against servers that misbehave in every way, on loopback."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from bot.catalog.registry import by_api
from bot.clock_skew import ClockSkew
from bot.errors import (
    ApiError,
    HeldBackError,
    NeverSentError,
    NoAnswerError,
    UnreadableAnswerError,
)
from bot.model.actions import DEFAULT
from bot.model.commands import Command
from bot.tencent import tc3
from bot.tencent.answers import LARGEST
from bot.tencent.client import TencentCloud
from bot.tencent.credentials import Access, Fixed
from tests.support.waiting import until

KEY = tc3.Credentials("AKIDEXAMPLE12", "5ECRE7KEY", "T0KEN")
STOP = Command(by_api("StopStreamIngest"), {"TaskId": "t1", "SdkAppId": 7}, "ap-singapore")
NOW = 1_700_000_000

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(behave: Behaviour) -> AsyncIterator[str]:
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:-1]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
    return headers, await reader.readexactly(int(headers["content-length"]))


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answers(payload: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(payload)
        await writer.drain()

    return behave


async def call(url: str, whole: float = 5.0, may_leave: Callable[[], bool] = lambda: True) -> Any:
    cloud = TencentCloud(
        credentials=Fixed(KEY), base_url=url, whole=whole, clock=lambda: float(NOW)
    )
    try:
        return await cloud.call(STOP, may_leave)
    finally:
        await cloud.close()


async def test_cloud_client_notes_the_clouds_time() -> None:
    """Each answer, a refusal too, tells what time it is at Tencent Cloud."""
    skew = ClockSkew(clock=lambda: float(NOW))
    told = http(OK, headers="Date: Tue, 14 Nov 2023 22:00:00 GMT\r\n")
    async with server(answers(told)) as url:
        cloud = TencentCloud(credentials=Fixed(KEY), base_url=url, skew=skew)
        await cloud.call(STOP)
        await cloud.close()

    (one,) = skew.each()
    assert one.service == "Tencent Cloud"
    assert round(one.seconds) == NOW - 1_699_999_200


OK = json.dumps({"Response": {"RequestId": "r-1", "Status": "x"}}).encode()


async def test_cloud_client_sends_signed_request() -> None:
    """The client sends the body and headers that it signed and returns the answer."""
    seen: list[tuple[dict[str, str], bytes]] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(http(OK))

    async with server(behave) as url:
        answer = await call(url)

    headers, payload = seen[0]
    assert (answer.request_id, answer.body) == ("r-1", {"Status": "x"})
    assert json.loads(payload) == {"TaskId": "t1", "SdkAppId": 7}
    assert headers["host"] == url.removeprefix("http://")
    assert headers["x-tc-region"] == "ap-singapore"
    assert headers["x-tc-token"] == "T0KEN"
    assert headers["x-tc-version"] == "2019-07-22"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == tc3.authorization(
        headers, payload, credentials=KEY, service="trtc", timestamp=NOW
    )


async def test_cloud_client_holds_back_what_may_not_leave_any_more() -> None:
    """Where it may not leave when the connection stands, not one byte of a request does."""
    received: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.close()

    async with server(behave) as url:
        with pytest.raises(HeldBackError):
            await call(url, may_leave=lambda: False)
        await until(lambda: received)

    assert received == [b""]


async def test_cloud_client_reports_refused_connection_as_not_sent() -> None:
    """A refused connection is reported as never sent."""
    async with server(answers(b"")) as url:
        pass
    with pytest.raises(NeverSentError):
        await call(url)


async def test_cloud_client_reports_unknown_host_as_not_sent() -> None:
    """A host name that does not resolve is reported as never sent."""
    with pytest.raises(NeverSentError):
        await call("http://nowhere.invalid")


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await request(reader)
    await reader.read()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.transport.abort()


async def _reset_unread(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    for byte in http(OK):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "behave",
    [
        _hang,
        _reset,
        _reset_unread,
        _drip,
        answers(b""),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        answers(b"nonsense\r\n\r\n"),
        answers(http(b"x" * (LARGEST + 1))),
        answers(http(OK, headers="Content-Encoding: gzip\r\n")),
    ],
)
async def test_cloud_client_reports_incomplete_answer_as_no_answer(behave: Behaviour) -> None:
    """A missing, incomplete, undecodable or oversized response is reported as no answer."""
    async with server(behave) as url:
        with pytest.raises(NoAnswerError):
            await call(url, whole=0.3)


async def test_cloud_client_does_not_retry_on_broken_connection() -> None:
    """A pooled connection that breaks during a request is reported as no answer."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(http(OK))
        await request(reader)
        writer.transport.abort()

    async with server(behave) as url:
        cloud = TencentCloud(credentials=Fixed(KEY), base_url=url)
        await cloud.call(STOP)
        with pytest.raises(NoAnswerError):
            await cloud.call(STOP)
        await cloud.close()


@pytest.mark.parametrize(
    "payload",
    [
        http(b""),
        http(b"<html>502 txSecret=5ECRE7 AKIDEXAMPLE12</html>", "502 Bad Gateway"),
        http(b"<html>"),
        http(OK[:-4]),
        http(b"[]"),
        http(b"{}"),
        http(b'{"Response": null}'),
        http(b'{"Response": {}}'),
        http(b'{"Response": {"RequestId": 7}}'),
        http(b'{"Response": {"RequestId": "r", "Error": "no"}}'),
        http(b'{"Response": {"RequestId": "r", "Error": {"Code": 5, "Message": "m"}}}'),
        http(b"[" * 100_000),
        http(b"\xff\xfe\x00", headers="Content-Type: application/json; charset=latin-9\r\n"),
        http(OK, "500 Oops"),
        http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
    ],
)
async def test_cloud_client_redacts_excerpt_of_unreadable_answer(payload: bytes) -> None:
    """An undocumented response is reported with a short, printable and redacted excerpt."""
    async with server(answers(payload)) as url:
        with pytest.raises(UnreadableAnswerError) as caught:
            await call(url)

    assert len(caught.value.excerpt) <= 120
    assert caught.value.excerpt.isprintable()
    assert "5ECRE7" not in str(caught.value)
    assert "AKIDEXAMPLE12" not in str(caught.value)


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "503 Unavailable"])
async def test_cloud_client_raises_api_error_under_any_status(status: str) -> None:
    """An error in the response raises ApiError under any HTTP status, with keys redacted."""
    error = {"Code": "InvalidParameter.TaskId", "Message": "no txSecret=abc"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r-9"}}).encode()

    async with server(answers(http(body, status))) as url:
        with pytest.raises(ApiError) as caught:
            await call(url)

    assert caught.value.code == "InvalidParameter.TaskId"
    assert caught.value.request_id == "r-9"
    assert "abc" not in caught.value.message
    assert caught.value.skew is None


@pytest.mark.parametrize("form", ["no push to {} please", "no stream {key} there"])
@pytest.mark.parametrize("document", [True, False])
async def test_cloud_client_redacts_echoed_secret_parameter(form: str, document: bool) -> None:
    """A secret parameter that the response echoes is redacted in the error."""
    push = "rtmp://a.example.com/live2/5ECRE7-5ECRE7"
    said = form.format(push, key="5ECRE7-5ECRE7")
    error = {"Code": "InvalidParameter", "Message": said}
    answer = {"Response": {"Error": error, "RequestId": "r"}} if document else {"said": said}
    command = Command(
        by_api("StartPublishStreamWithURL"), {"UserId": "u1", "PublishStreamURL": push}
    )

    async with server(answers(http(json.dumps(answer).encode()))) as url:
        cloud = TencentCloud(credentials=Fixed(KEY), base_url=url)
        with pytest.raises(ApiError if document else UnreadableAnswerError) as caught:
            await cloud.call(command)
        await cloud.close()

    assert "[hidden]" in str(caught.value)
    assert "5ECRE7" not in str(caught.value)


async def test_cloud_client_redacts_key_of_another_account() -> None:
    """An answer to one account's request shows the keys of no account."""
    other = tc3.Credentials("AKIDOTHER0123", "0THER5ECRE7", "0THERT0KEN")
    accounts = {DEFAULT: Access(), "other": Access(Fixed(other))}
    said = f"{KEY.secret_id} {KEY.secret_key} {KEY.token} {other.secret_key}"
    error = {"Response": {"Error": {"Code": "InternalError", "Message": said}, "RequestId": "r"}}
    closing = http(json.dumps(error).encode(), headers="Connection: close\r\n")
    messages = []
    async with server(answers(closing)) as url:
        cloud = TencentCloud(credentials=Fixed(KEY), accounts=lambda: accounts, base_url=url)
        for account in accounts:
            with pytest.raises(ApiError) as caught:
                await cloud.call(replace(STOP, account=account))
            messages.append(caught.value.message)
        await cloud.close()

    assert messages[-1] == "[hidden] [hidden] [hidden] [hidden]"


@pytest.mark.parametrize(
    ("date", "skew"), [(formatdate(NOW - 600, usegmt=True), 600.0), ("never", None)]
)
async def test_cloud_client_measures_clock_skew_from_date_header(
    date: str, skew: float | None
) -> None:
    """The clock skew is measured by the Date header, and is None without a valid one."""
    error = {"Code": "AuthFailure.SignatureExpire", "Message": "late"}
    body = json.dumps({"Response": {"Error": error, "RequestId": "r"}}).encode()

    async with server(answers(http(body, headers=f"Date: {date}\r\n"))) as url:
        with pytest.raises(ApiError) as caught:
            await call(url)

    assert caught.value.skew == skew


async def test_cloud_client_calls_host_of_configured_site() -> None:
    """The client calls a product at the host of its configured site."""
    hosts: list[str] = []

    def handle(sent: httpx.Request) -> httpx.Response:
        hosts.append(sent.headers["host"])
        return httpx.Response(200, stream=httpx.ByteStream(OK))

    for sites in ({}, {"trtc": "mainland"}):
        cloud = TencentCloud(
            credentials=Fixed(KEY),
            sites=sites,  # type: ignore[arg-type] # a literal
            transport=httpx.MockTransport(handle),
        )
        await cloud.call(STOP)
        await cloud.close()

    assert hosts == ["trtc.intl.tencentcloudapi.com", "trtc.tencentcloudapi.com"]


@pytest.mark.parametrize(
    ("body", "request_id", "stored"),
    [
        (r'{"RequestId": "r\ud800", "State": "a\udfffb"}', "r\ufffd", {"State": "a\ufffdb"}),
        (r'{"RequestId": "r\u0000", "a\u0000": ["\ud800"]}', "r\ufffd", {"a\ufffd": ["\ufffd"]}),
        (r'{"RequestId": "r", "N": NaN, "I": [-Infinity]}', "r", {"N": None, "I": [None]}),
        (r'{"RequestId": "😀\ud83d\ude00"}', "😀😀", {}),
        (f'{{"RequestId": "{"r" * 5000}"}}', "r" * 100, {}),
    ],
)
async def test_cloud_client_makes_answer_storable(
    body: str, request_id: str, stored: dict[str, Any]
) -> None:
    """What UTF-8 or a database cannot hold is replaced, and the RequestId is cut."""
    async with server(answers(http(f'{{"Response": {body}}}'.encode()))) as url:
        answer = await call(url)

    assert (answer.request_id, answer.body) == (request_id, stored)


async def test_cloud_client_keeps_no_endless_nesting() -> None:
    """An answer that is nested very deeply is cut, and still accepted."""
    nested = '{"a":' * 400 + "1" + "}" * 400
    body = f'{{"Response": {{"RequestId": "r", "A": {nested}}}}}'
    async with server(answers(http(body.encode()))) as url:
        answer = await call(url)

    assert str(answer.body).count("{") < 100


@pytest.mark.parametrize("before", [0, 1980, 1990, 1999, 2000])
async def test_cloud_client_makes_error_storable(before: int) -> None:
    """An error's message is replaced and cut as an answer is, and no part of a key is left."""
    message = "m" * before + KEY.secret_key + r"\ud800" + "m" * 900_000
    error = rf'{{"Code": "Invalid\ud800{"c" * 200}", "Message": "{message}"}}'
    body = rf'{{"Response": {{"RequestId": "r\ud800", "Error": {error}}}}}'.encode()
    async with server(answers(http(body))) as url:
        with pytest.raises(ApiError) as caught:
            await call(url)

    assert caught.value.request_id == "r\ufffd"
    assert (len(caught.value.code), caught.value.code[:8]) == (100, "Invalid\ufffd")
    assert 1900 < len(caught.value.message) <= 2000
    assert KEY.secret_key[:3] not in caught.value.message
    caught.value.message.encode()
