"""The native protocol and WebSocket, as far as somebody needs them who means harm. Source: docs/protocol.md"""

import base64
import hashlib
import hmac
import os
import struct

ENTER, CLOSE, LEAVE = 1, 4, 6
ECHO, JOIN, SAY = 1000, 1200, 1202
REPLY, CONTROL, SECRET = 1, 3, 0x20


def frame(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload


def text(value: str) -> bytes:
    data = value.encode()
    if len(data) < 32:
        return bytes([0xA0 | len(data)]) + data
    return b"\xda" + struct.pack(">H", len(data)) + data


def u64(value: int) -> bytes:
    return b"\xcf" + struct.pack(">Q", value)


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


hello = frame(b"GSP1\x95\x01\x01" + text("abuse") + b"\x00\xc4\x00")
leave = frame(bytes([CONTROL, LEAVE, 0, 0x90]))


def request(command: int, number: int, body: bytes) -> bytes:
    return frame(b"\x00" + struct.pack("<H", command) + varint(number) + body)


def enter(token: str) -> bytes:
    return request(ENTER, 0, b"\x91" + text(token))


def resume(player: int, session: int, received: int, answered: int, proof: bytes) -> bytes:
    return request(ENTER, 0, b"\x97" + text("") + u64(player) + u64(session) + u64(received) + u64(answered)
                   + b"\xc4" + bytes([len(proof)]) + proof + text(""))


def proof_of(key: bytes, nonce: bytes, player: int, session: int, received: int, answered: int) -> bytes:
    return hmac.new(key, nonce + struct.pack("<QQQQ", player, session, received, answered), hashlib.sha256).digest()


def unpack(data: bytes, at: int = 0) -> tuple:
    """One msgpack value of those that the server's hello, enter and close hold, and where the next one begins."""
    tag = data[at]
    if tag < 0x80:
        return tag, at + 1
    if tag & 0xF0 == 0x90:
        values, at = [], at + 1
        for _ in range(tag & 0x0F):
            value, at = unpack(data, at)
            values.append(value)
        return values, at
    if tag & 0xE0 == 0xA0:
        end = at + 1 + (tag & 0x1F)
        return data[at + 1:end].decode(), end
    if tag in (0xC2, 0xC3):
        return tag == 0xC3, at + 1
    if tag in (0xC4, 0xD9):
        end = at + 2 + data[at + 1]
        return (data[at + 2:end] if tag == 0xC4 else data[at + 2:end].decode()), end
    size = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}[tag]
    return int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size


def websocket_upgrade() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (f"GET / HTTP/1.1\r\nHost: game\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n").encode()


def websocket_frame(opcode: int, payload: bytes, final: bool = True, masked: bool = True) -> bytes:
    """Of at most 125 bytes; the mask is zero, so that the payload can be read."""
    head = bytes([(0x80 if final else 0) | opcode, (0x80 if masked else 0) | len(payload)])
    return head + (bytes(4) if masked else b"") + payload
