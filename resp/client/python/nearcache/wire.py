"""RESP3 without I/O: bytes in, values out."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ConnectionError, ResponseError

MAX_DEPTH = 64


class Push(list):
    """What the server says of its own accord."""


class _Incomplete(Exception):
    pass


def to_bytes(text: str) -> bytes:
    """A text as UTF-8; bytes that a surrogate stands for are these bytes again, and half a character is one that no UTF-8
    has: a model's answer may end within one."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """A text of any bytes, of which to_bytes makes the same bytes again."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def encode(args: tuple) -> bytes:
    """A command as the server reads it. Arguments are str, bytes, int or float."""
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        if isinstance(a, (bytes, bytearray, memoryview)):
            b = bytes(a)
        elif isinstance(a, str):
            b = to_bytes(a)
        elif isinstance(a, (int, float)) and not isinstance(a, bool):
            b = repr(a).encode()
        else:
            raise TypeError(f"an argument of type {type(a).__name__}: give bytes, str, int or float")
        out.append(b"$%d\r\n%b\r\n" % (len(b), b))
    return b"".join(out)


class Decoder:
    """Cuts a stream into replies and pushes. An error reply is a ResponseError."""

    def __init__(self) -> None:
        self._buf = bytearray()
        self._pos = 0
        self._want = 0  # there is no whole value below this length

    def feed(self, data: bytes) -> None:
        self._buf += data

    def next(self) -> tuple[bool, Any]:
        """Returns (True, value), or (False, None) when more bytes are needed."""
        if len(self._buf) < self._want:
            return False, None
        start = self._pos
        try:
            value = self._value(0)
        except _Incomplete:
            self._pos = start
            if start:
                del self._buf[:start]
                self._want -= start
                self._pos = 0
            return False, None
        self._want = 0
        if self._pos == len(self._buf):
            self._buf.clear()
            self._pos = 0
        return True, value

    def _line(self) -> bytes:
        i = self._buf.find(b"\r\n", self._pos)
        if i < 0:
            self._want = len(self._buf) + 1
            raise _Incomplete
        line = bytes(self._buf[self._pos : i])
        self._pos = i + 2
        return line

    def _bulk(self, n: int) -> bytes:
        end = self._pos + n
        if len(self._buf) < end + 2:
            self._want = end + 2
            raise _Incomplete
        b = bytes(self._buf[self._pos : end])
        self._pos = end + 2
        return b

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ConnectionError("the server's reply is nested too deeply")
        line = self._line()
        kind, rest = line[:1], line[1:]
        try:
            if kind == b"$":
                n = int(rest)
                return None if n < 0 else self._bulk(n)
            if kind == b"+":
                return rest
            if kind in b":(" and kind:
                return int(rest)
            if kind == b"_":
                return None
            if kind == b",":
                return float(rest)
            if kind == b"#":
                return rest == b"t"
            if kind == b"=":
                return self._bulk(int(rest))[4:]
            if kind == b"-":
                return ResponseError(rest.decode("utf-8", "replace"))
            if kind == b"!":
                return ResponseError(self._bulk(int(rest)).decode("utf-8", "replace"))
            if kind == b">":
                return Push(self._value(depth + 1) for _ in range(int(rest)))
            if kind in b"*~" and kind:
                n = int(rest)
                return None if n < 0 else [self._value(depth + 1) for _ in range(n)]
            if kind == b"%":
                pairs = {}
                for _ in range(int(rest)):
                    k = self._value(depth + 1)
                    pairs[k if isinstance(k, (bytes, int, float)) else repr(k)] = self._value(depth + 1)
                return pairs
            if kind == b"|":  # comes before a reply, is none itself
                for _ in range(2 * int(rest)):
                    self._value(depth + 1)
                return self._value(depth)
        except ValueError:
            pass
        raise ConnectionError(f"the server's reply is not RESP3: {line[:40]!r}")
