"""Frames of a WebSocket as a client sends them (RFC 6455)."""

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
NO_MASK = b"\0\0\0\0"  # A mask of zeros changes nothing.
TEXT = b"\x81\x81" + NO_MASK + b"x"
PING = b"\x89\x80" + NO_MASK
PONG = b"\x8a\x00"  # The server's answer to a ping; servers do not mask.
CLOSE = b"\x88\x82" + NO_MASK + b"\x03\xe8"
