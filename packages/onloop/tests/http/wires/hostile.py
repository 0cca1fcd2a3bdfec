"""What upstreams may send instead of a proper response."""

import asyncio
import gzip
from dataclasses import dataclass

from onloop.testing import Answer, Call

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# How a call ends. Some wires do not give up an endless response before the time is up.
ANSWER, ERROR, TIME_UP = {"answer"}, {"error"}, {"time is up"}
EITHER = ANSWER | ERROR
ENDLESS = ERROR | TIME_UP


@dataclass(frozen=True)
class Kind:
    """A hostile upstream: what it sends, and how a call of it may end."""

    answer: Answer
    outcomes: set[str]


def sending(*parts: bytes, close: bool = True) -> Answer:
    """An upstream that sends these bytes, and closes the connection."""

    async def answer(call: Call) -> None:
        for part in parts:
            await call.send(part)
        if close:
            call.writer.close()
        else:
            await call.closed()

    return answer


def endless(start: bytes, part: bytes) -> Answer:
    """An upstream that never ends."""

    async def answer(call: Call) -> None:
        await call.send(start)
        while not call.writer.is_closing():
            await call.send(part)

    return answer


def dripping(start: bytes, part: bytes) -> Answer:
    """An upstream that sends a little now and then, and never ends."""

    async def answer(call: Call) -> None:
        await call.send(start)
        while not call.reader.at_eof():
            await call.send(part)
            await asyncio.sleep(0.001)

    return answer


def byte_by_byte(data: bytes) -> Answer:
    async def answer(call: Call) -> None:
        for index in range(len(data)):
            await call.send(data[index : index + 1])
            await asyncio.sleep(0)

    return answer


async def resetting(call: Call) -> None:
    call.reset()


async def resetting_in_the_body(call: Call) -> None:
    await call.send(OK + b"Content-Length: 100\r\n\r\n[1,")
    call.reset()


KINDS = {
    # Before a response
    "silence": Kind(sending(close=False), TIME_UP),
    "close": Kind(sending(), ERROR),
    "reset": Kind(resetting, ERROR),
    "garbage": Kind(sending(bytes(range(256)) * 20), ERROR),
    "endless garbage": Kind(endless(b"", bytes(range(1, 256)) * 250), ERROR),
    "mail": Kind(sending(b"220 mail.example.com ESMTP\r\n\r\n"), ERROR),
    "no head": Kind(sending(b"hello"), ERROR),
    "empty lines": Kind(endless(b"", b"\r\n" * 10_000), ERROR),
    # The status line
    "close in the status line": Kind(sending(b"HTTP/1.1 20"), ERROR),
    "version": Kind(sending(b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"), ERROR),
    "status of letters": Kind(sending(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"), ERROR),
    "status of five digits": Kind(sending(b"HTTP/1.1 20000 OK\r\n\r\n"), ERROR),
    "NUL in the reason": Kind(sending(b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"), EITHER),
    "endless reason": Kind(endless(b"HTTP/1.1 200 ", b"y" * 65_536), ERROR),
    # Informational responses
    "endless 100": Kind(endless(b"", b"HTTP/1.1 100 \r\n\r\n" * 250), ENDLESS),
    "endless 103": Kind(endless(b"", b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" * 100), ENDLESS),
    "unasked 101": Kind(sending(b"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n" + b"x" * 9_999), EITHER),
    # Headers
    "close in the headers": Kind(sending(OK + b"Content-Le"), ERROR),
    "headers byte by byte": Kind(byte_by_byte(OK + b"Content-Length: 2\r\n\r\nok"), ANSWER),
    "slow headers": Kind(dripping(OK + b"X: ", b"x"), TIME_UP),
    "endless headers": Kind(endless(OK, b"X-Y: " + b"z" * 1_000 + b"\r\n"), ERROR),
    "endless empty headers": Kind(endless(OK, b"X:\r\n" * 10_000), ERROR),
    "endless header": Kind(endless(OK + b"X: ", b"y" * 65_536), ERROR),
    "endless name": Kind(endless(OK, b"y" * 65_536), ERROR),
    "endless folding": Kind(endless(OK + b"X: y", b"\r\n z" * 10_000), ERROR),
    "large head": Kind(sending(OK, b"X: " + b"y" * 1_000_000 + b"\r\n\r\n"), ERROR),
    "many headers": Kind(sending(OK, b"X: y\r\n" * 5_000, b"\r\n"), ERROR),
    "NUL in a header": Kind(sending(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), EITHER),
    "CR in a header": Kind(sending(OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n"), EITHER),
    "header without a colon": Kind(sending(OK + b"X\r\nContent-Length: 0\r\n\r\n"), ERROR),
    "space before the colon": Kind(sending(OK + b"X : y\r\nContent-Length: 0\r\n\r\n"), ERROR),
    "lines that end with LF": Kind(sending(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"), EITHER),
    "bytes beyond ASCII": Kind(sending(OK + b"X: \xff\xe9\r\nContent-Length: 0\r\n\r\n"), ANSWER),
    # The length of the body
    "negative length": Kind(sending(OK + b"Content-Length: -1\r\n\r\nx"), ERROR),
    "length of letters": Kind(sending(OK + b"Content-Length: abc\r\n\r\nx"), ERROR),
    "length beyond 64 bits": Kind(
        sending(OK + b"Content-Length: 9%b\r\n\r\nx" % (b"9" * 30)), ERROR
    ),
    "two lengths": Kind(
        sending(OK + b"Content-Length: 1\r\nContent-Length: 5\r\n\r\nhello"), ERROR
    ),
    "length and chunks": Kind(
        sending(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        EITHER,
    ),
    "unknown coding": Kind(sending(OK + b"Transfer-Encoding: zip\r\n\r\nhello"), EITHER),
    # The body
    "no body": Kind(sending(OK + b"Content-Length: 100\r\n\r\n"), ERROR),
    "half a body": Kind(sending(OK + b"Content-Length: 100\r\n\r\n[1,"), ERROR),
    "reset in the body": Kind(resetting_in_the_body, ERROR),
    "slow body": Kind(dripping(OK + b"Content-Length: 1000000\r\n\r\n", b"x"), TIME_UP),
    "endless body": Kind(
        endless(OK + b"Content-Length: 9%b\r\n\r\n" % (b"9" * 14), b"x" * 65_536), ERROR
    ),
    "endless body without a length": Kind(endless(OK + b"\r\n", b"x" * 65_536), ERROR),
    "more than its length": Kind(
        sending(OK + b"Content-Length: 2\r\n\r\nok" + b"x" * 99_999), EITHER
    ),
    "body without a body": Kind(sending(b"HTTP/1.1 204 N\r\n\r\nhello" + b"x" * 99_999), EITHER),
    "compressed bomb": Kind(
        sending(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(10_000_000))), ANSWER
    ),
    "second response": Kind(sending((OK + b"Content-Length: 2\r\n\r\nok") * 2), EITHER),
    "endless responses": Kind(endless(b"", (OK + b"Content-Length: 2\r\n\r\nok") * 1_000), EITHER),
    # Chunks
    "chunk size of letters": Kind(sending(CHUNKED + b"xyz\r\n"), ERROR),
    "negative chunk size": Kind(sending(CHUNKED + b"-1\r\nx\r\n0\r\n\r\n"), ERROR),
    "chunk size beyond 64 bits": Kind(sending(CHUNKED + b"f" * 17 + b"\r\nx"), ERROR),
    "endless chunk size": Kind(dripping(CHUNKED, b"0" * 65_536), ENDLESS),
    "chunk larger than its size": Kind(sending(CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n"), ERROR),
    "half a chunk": Kind(sending(CHUNKED + b"5\r\n[1,"), ERROR),
    "no last chunk": Kind(sending(CHUNKED + b"1\r\nx\r\n"), ERROR),
    "chunks of a byte": Kind(sending(CHUNKED + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"), ANSWER),
    "endless chunks of a byte": Kind(endless(CHUNKED, b"1\r\nx\r\n" * 10_000), ENDLESS),
    "chunk extension": Kind(sending(CHUNKED + b"1;a=b\r\nx\r\n0\r\n\r\n"), ANSWER),
    "endless chunk extension": Kind(endless(CHUNKED + b"1;", b"y" * 65_536), ENDLESS),
    "endless chunk extensions": Kind(
        endless(CHUNKED, (b"1;" + b"y" * 1_000 + b"\r\nx\r\n") * 60), ENDLESS
    ),
    "trailers": Kind(sending(CHUNKED + b"1\r\nx\r\n0\r\nX: y\r\n\r\n"), ANSWER),
    "endless trailers": Kind(endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 10_000), ERROR),
    "endless trailer": Kind(endless(CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"y" * 65_536), ERROR),
}
