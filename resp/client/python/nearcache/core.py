"""What the near caches for threads and for asyncio share: everything but I/O and waiting."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, Callable, Optional, Union
from urllib.parse import unquote

from redis.connection import parse_url
from redis.exceptions import ConnectionError, ResponseError

from .local import Flight, Local
from .wire import Decoder, Push, encode, to_bytes, to_text

Key = Union[bytes, str]
Arg = Union[bytes, str, int, float]

REDIAL_FIRST, REDIAL_MOST = 0.01, 1.0  # seconds between attempts to connect, doubled
FOREVER = 50 * 365 * 86400.0  # seconds; the semantic cache takes up to 73 years


SEARCH = ("FT.SEARCH",)


def millis(ttl: float) -> int:
    """A time to live as the server takes it. It may be infinite."""
    return max(1, int(min(ttl, FOREVER) * 1000))


def search_key(args: tuple) -> bytes:
    """What the answer to a search is kept under: no key of the server's."""
    return b"\0ft" + encode(args)


class Call:
    """A request on its way: some commands that are sent together. on_reply gets each reply in turn, or the error that
    took its place; it runs in the reader and must not wait."""

    __slots__ = ("left", "nth", "on_reply")

    def __init__(self, replies: int, on_reply: Callable[[int, Any, Optional[BaseException]], None]) -> None:
        self.left = replies
        self.nth = 0
        self.on_reply = on_reply


class Target:
    """Where to connect, from a URL as redis-py reads it."""

    def __init__(self, url: str) -> None:
        o = parse_url(url)
        self.path: Optional[str] = o.get("path")
        self.host: str = o.get("host", "localhost")
        self.port: int = int(o.get("port", 6379))
        self.db = int(o.get("db", 0))
        self.username: Optional[str] = o.get("username")
        self.password: Optional[str] = o.get("password")
        self.tls = url.startswith("rediss://")
        if self.path:
            self.path = unquote(self.path)

    def ssl_context(self) -> Any:
        import ssl

        return ssl.create_default_context()


class Core:
    def __init__(self, url: str, *, max_bytes: int, max_ttl: Optional[float], name: str, decode_responses: bool) -> None:
        self.target = Target(url)
        self.local = Local(max_bytes)
        self.max_ttl = max_ttl
        self.name = name
        self.decode = decode_responses
        self.calls: deque[Call] = deque()
        self.loads = self.waits = 0
        self.reports = True

    # The connection.

    def handshake(self) -> tuple[bytes, int]:
        """The commands that begin a connection, and how many replies they have."""
        t = self.target
        hello: list[Arg] = ["HELLO", 3]
        if t.password:
            hello += ["AUTH", t.username or "default", t.password]
        if self.name:
            hello += ["SETNAME", self.name]
        commands: list[tuple] = [tuple(hello), ("CLIENT", "TRACKING", "ON")]
        if t.db:
            commands.append(("SELECT", t.db))
        return b"".join(encode(c) for c in commands), len(commands)

    def received(self, decoder: Decoder) -> None:
        """Handles all that has come, in its order."""
        while True:
            whole, value = decoder.next()
            if not whole:
                return
            if isinstance(value, Push):
                self._push(value)
                continue
            if not self.calls:
                raise ConnectionError("a reply that nobody has asked for")
            call = self.calls[0]
            i = call.nth
            call.nth += 1
            call.left -= 1
            if not call.left:
                self.calls.popleft()
            call.on_reply(i, value, None)

    def _push(self, value: Push) -> None:
        if len(value) != 2 or value[0] != b"invalidate":
            return
        if value[1] is None:
            self.local.flush()
            return
        for key in value[1]:
            if self.local.drop(key):
                self.local.invalidations += 1

    def report(self) -> Optional[tuple[bytes, Call]]:
        """What tells the server how often it was not asked; see TRACKING.STATS."""
        command = self.local.report() if self.reports else None
        if command is None:
            return None

        def on_reply(i: int, value: Any, error: Optional[BaseException]) -> None:
            self.reports = not isinstance(value, ResponseError)  # a server that knows no such thing

        return encode(command), Call(1, on_reply)

    def lost(self, calls: deque, error: BaseException) -> None:
        """The connection has ended: copies go before anybody is told."""
        self.local.live = False
        self.local.flush()
        for call in calls:
            for i in range(call.nth, call.nth + call.left):
                call.on_reply(i, None, error)

    # Requests.

    def read_request(self, key: bytes, cmd: tuple, f: Flight) -> tuple[bytes, Call]:
        """The value, then its time to live: a change between the two is announced between the two replies, so that the
        copy is gone before it gets a wrong end."""
        sent = time.monotonic()  # the answer holds for a later moment: the copy ends early, not late

        def on_reply(i: int, value: Any, error: Optional[BaseException]) -> None:
            if i == 0:
                if error is None and isinstance(value, ResponseError):
                    error = value
                if error is not None:
                    self.local.fail(key, cmd, f, error)
                else:
                    self.local.land(key, cmd, f, self._decoded(value))
            elif not f.ended:
                self.local.end(key, cmd, f, *self._ends(value, sent))

        return encode((cmd[0], key, *cmd[1:])) + encode(("PTTL", key)), Call(2, on_reply)

    def search_request(self, key: bytes, args: tuple, f: Flight) -> tuple[bytes, Call]:
        """FT.SEARCH, whose reply names the pseudo-key that it dies with, where the server tracks searches."""

        def on_reply(i: int, value: Any, error: Optional[BaseException]) -> None:
            if error is None and isinstance(value, ResponseError):
                error = value
            if error is not None:
                self.local.fail(key, SEARCH, f, error)
                return
            name = value.pop(b"tracking", None) if isinstance(value, dict) else None
            self.local.land_under(key, SEARCH, f, self._decoded(value), name)

        return encode(("FT.SEARCH", *args)), Call(1, on_reply)

    def _ends(self, pttl: Any, sent: float) -> tuple[float, float]:
        key_end = sent + pttl / 1000 if isinstance(pttl, int) and pttl >= 0 else 0.0
        copy_end = key_end
        if self.max_ttl is not None and (not copy_end or copy_end > sent + self.max_ttl):
            copy_end = sent + self.max_ttl
        return key_end, copy_end

    def request(self, commands: list[tuple], named: list[bytes], done: Callable[[list, Optional[BaseException]], None]) -> tuple[bytes, Call]:
        """Commands of which nothing is remembered. Copies of the keys that they name are dropped when the last reply
        comes."""
        replies: list = []

        def on_reply(i: int, value: Any, error: Optional[BaseException]) -> None:
            replies.append(value)
            if error is None and len(replies) < len(commands):
                return
            for key in named:
                self.local.drop(key)
            done(replies, error)

        return b"".join(encode(c) for c in commands), Call(len(commands), on_reply)

    def _decoded(self, value: Any) -> Any:
        if not self.decode:
            return value
        if isinstance(value, bytes):
            return to_text(value)
        if isinstance(value, list):
            return [self._decoded(v) for v in value]
        if isinstance(value, dict):
            return {self._decoded(k): self._decoded(v) for k, v in value.items()}
        return value

    def result(self, value: Any) -> Any:
        if isinstance(value, ResponseError):
            raise value
        return self._decoded(value)

    # Leases.

    def lease_key(self, key: bytes) -> bytes:
        return b"lease:{" + key + b"}"

    def lease_request(self, key: bytes, lease: float) -> tuple[bytes, tuple]:
        token = os.urandom(16).hex().encode()
        return token, ("SET", self.lease_key(key), token, "NX", "PX", millis(lease))

    def store_requests(self, key: bytes, value: Arg, ttl: float, stale: float, token: bytes) -> list[tuple]:
        return [("SET", key, value, "PX", millis(ttl) + int(min(stale, FOREVER) * 1000)), self.release(key, token)]

    def release(self, key: bytes, token: bytes) -> tuple:
        return ("DELEX", self.lease_key(key), "IFEQ", token)

    def is_stale(self, key_end: float, stale: float) -> bool:
        return bool(stale and key_end and key_end - time.monotonic() <= min(stale, FOREVER))

    def stats(self) -> dict[str, int]:
        """Hits (answered from here), misses (asked of the server), shared (waited for somebody else's question),
        invalidations, flushes, evictions, keys and bytes held; loads and waits of cached()."""
        return {**self.local.stats(), "loads": self.loads, "waits": self.waits}


def to_key(key: Key) -> bytes:
    return to_bytes(key) if isinstance(key, str) else bytes(key)


def names(args: tuple) -> list[bytes]:
    """The arguments that may be keys."""
    return [to_key(a) for a in args[1:] if isinstance(a, (bytes, str))]
