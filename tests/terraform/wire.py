"""The little of protocol buffers that Terraform's plugin protocol, version 5, needs here.

See plugin-protocol in Terraform's documentation for the messages and the numbers of their fields.
"""

from collections.abc import Iterator

_BYTES = 2


def text(number: int, value: str) -> bytes:
    """Write a string field."""
    return message(number, value.encode())


def message(number: int, value: bytes) -> bytes:
    """Write a field that is a message, or bytes."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def whole(number: int, value: int) -> bytes:
    """Write a field that is a whole number, a truth value or a name out of a list."""
    return _varint(number << 3) + _varint(value) if value else b""


def fields(data: bytes) -> dict[int, bytes]:
    """Read the strings, bytes and messages in a message, by their fields' numbers."""
    return dict(_fields(data))


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        size, at = _read_varint(data, at)
        if key & 7 == _BYTES:
            yield key >> 3, data[at : at + size]
            at += size


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        part = data[at]
        value |= (part & 127) << shift
        at, shift = at + 1, shift + 7
        if part < 128:
            return value, at
