"""The copies that a near cache holds.

A copy is entered and dropped by whoever reads the connection, in the order of the wire; see resp/client/near of the Go
module, which is the same in Go.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any, Callable, Optional

NODE_COST = 400  # bytes of a key's own structures, measured on CPython 3.11
COPY_COST = 200
SAMPLED = 16  # one key in so many is counted for the server, always the same ones
MAX_PREFIXES = 512


class Flight:
    """A read on its way. done is called for each who waits, once."""

    __slots__ = ("value", "error", "key_end", "copy_end", "waiters", "ended")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: Optional[BaseException] = None
        self.key_end = 0.0  # when the key ends, 0 for never, in seconds of time.monotonic
        self.copy_end = 0.0
        self.waiters: list[Callable[[], None]] = []
        self.ended = False


class _Copy:
    __slots__ = ("value", "key_end", "copy_end", "cost", "flight", "name")

    def __init__(self, flight: Flight) -> None:
        self.flight: Optional[Flight] = flight
        self.value: Any = None
        self.key_end = self.copy_end = 0.0
        self.cost = 0
        self.name: Optional[bytes] = None  # pseudo-key that it dies with, None for its own key


class _Node:
    __slots__ = ("copies", "watchers", "cost")

    def __init__(self, cost: int) -> None:
        self.copies: dict[tuple, _Copy] = {}
        self.watchers: list[Callable[[], None]] = []
        self.cost = cost


def weight(v: Any) -> int:
    """The memory of a reply in bytes, about."""
    if isinstance(v, (bytes, str)):
        return 33 + len(v)
    if isinstance(v, dict):
        return 64 + sum(100 + weight(k) + weight(x) for k, x in v.items())
    if isinstance(v, list):
        return 56 + sum(8 + weight(x) for x in v)
    return 32


class Local:
    """Least recently used keys go first. Any thread may call; only the reader may land, end, drop and flush."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.live = False  # copies may be used: the connection that keeps them true stands
        self.bytes = 0
        self.hits = self.misses = self.shared = self.invalidations = self.flushes = self.evictions = 0
        self._lock = threading.Lock()
        self._keys: OrderedDict[bytes, _Node] = OrderedDict()
        self._names: dict[bytes, set[bytes]] = {}  # pseudo-key → keys whose copies die with it
        self._answers: dict[bytes, list[int]] = {}  # hits and misses by prefix, of the keys that are sampled

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: bytes, cmd: tuple) -> Optional[_Copy]:
        """The copy of a reply, None where there is none."""
        with self._lock:
            node = self._keys.get(key)
            c = node.copies.get(cmd) if node is not None and self.live else None
            if c is None or c.flight is not None or (c.copy_end and c.copy_end <= time.monotonic()):
                c = None
            else:
                self._keys.move_to_end(key)
                self.hits += 1
            if hash(key) % SAMPLED == 0:
                self._count(key, c is not None)
            return c

    def _count(self, key: bytes, hit: bool) -> None:
        i = key.find(b":", 0, 64)
        a = self._answers.get(key[: i + 1])
        if a is None:
            if len(self._answers) >= MAX_PREFIXES:
                return
            a = self._answers[key[: i + 1]] = [0, 0]
        a[0 if hit else 1] += SAMPLED

    def report(self) -> Optional[tuple]:
        """The command that tells the server what was answered since the last one, None if nothing was."""
        with self._lock:
            answers, self._answers = self._answers, {}
        if not answers:
            return None
        args: list = ["TRACKING.REPORT"]
        for prefix, (hits, misses) in answers.items():
            args += [prefix, hits, misses]
        return tuple(args)

    def begin(self, key: bytes, cmd: tuple, waiter: Callable[[], None]) -> tuple[Flight, bool]:
        """Joins the flight of a read, or makes it; True says that the caller has to send it."""
        with self._lock:
            node = self._keys.get(key)
            if node is None:
                node = self._keys[key] = _Node(NODE_COST + len(key))
                self.bytes += node.cost
            c = node.copies.get(cmd)
            if c is not None and c.flight is not None:
                self.shared += 1
                c.flight.waiters.append(waiter)
                return c.flight, False
            if c is not None:
                self._account(node, -c.cost)
            f = Flight()
            f.waiters.append(waiter)
            node.copies[cmd] = _Copy(f)
            self.misses += 1
            return f, True

    def land(self, key: bytes, cmd: tuple, f: Flight, value: Any) -> None:
        """Enters the reply of a flight."""
        with self._lock:
            f.value = value
            node = self._keys.get(key)
            c = node.copies.get(cmd) if node else None
            if c is not None and c.flight is f:
                c.value, c.flight = value, None
                c.cost = COPY_COST + weight(value)
                self._account(node, c.cost)
                self._evict()

    def land_under(self, key: bytes, cmd: tuple, f: Flight, value: Any, name: Optional[bytes], end: float = 0.0) -> None:
        """Enters a reply that dies with a pseudo-key, or at its end; where it has none it is not kept. Lets go of those
        who wait."""
        with self._lock:
            f.value, f.ended = value, True
            node = self._keys.get(key)
            c = node.copies.get(cmd) if node else None
            if c is not None and c.flight is f:
                if name is None:
                    del node.copies[cmd]
                    self._drop_empty(key, node)
                else:
                    c.value, c.flight, c.name, c.copy_end = value, None, name, end
                    c.cost = COPY_COST + weight(value)
                    self._names.setdefault(name, set()).add(key)
                    self._account(node, c.cost)
                    self._evict()
            waiters = f.waiters
        for w in waiters:
            w()

    def end(self, key: bytes, cmd: tuple, f: Flight, key_end: float, copy_end: float) -> None:
        """Sets when the copy of a flight ends, and lets go of those who wait."""
        with self._lock:
            f.key_end, f.copy_end = key_end, copy_end
            node = self._keys.get(key)
            c = node.copies.get(cmd) if node else None
            if c is not None and c.flight is None:  # else an invalidation came between the two replies
                c.key_end, c.copy_end = key_end, copy_end
            f.ended, waiters = True, f.waiters
        for w in waiters:
            w()

    def fail(self, key: bytes, cmd: tuple, f: Flight, error: BaseException) -> None:
        """Ends a flight without a reply."""
        with self._lock:
            if f.ended:
                return
            f.error, f.ended = error, True
            node = self._keys.get(key)
            c = node.copies.get(cmd) if node else None
            if c is not None and c.flight is f:
                del node.copies[cmd]
                self._drop_empty(key, node)
            waiters = f.waiters
        for w in waiters:
            w()

    def drop(self, key: bytes) -> bool:
        """Forgets the copies of a key, or pseudo-key. Replies on their way are newer than what has died, and stay."""
        had, watchers = False, []
        with self._lock:
            for k in (key, *self._names.pop(key, ())):
                node = self._keys.get(k)
                if node is not None:
                    gone, w = self._drop(k, node)
                    had = had or gone
                    watchers += w
        for w in watchers:
            w()
        return had

    def flush(self) -> None:
        """Forgets everything that is not on its way."""
        with self._lock:
            self.flushes += 1
            watchers = []
            for key, node in list(self._keys.items()):
                watchers += self._drop(key, node)[1]
        for w in watchers:
            w()

    def watch(self, key: bytes, missing: bool, waiter: Callable[[], None]) -> bool:
        """Has waiter called when the copies of key are dropped. False where there is no copy of its string, or not one
        that is missing, or there, as the caller has seen it: that has changed already."""
        with self._lock:
            node = self._keys.get(key)
            c = node.copies.get(("GET",)) if node else None
            if c is None or c.flight is not None or (c.value is None) != missing:
                return False
            node.watchers.append(waiter)
            return True

    def _drop(self, key: bytes, node: _Node) -> tuple[bool, list]:
        watchers, node.watchers = node.watchers, []
        gone = [cmd for cmd, c in node.copies.items() if c.flight is None]
        for cmd in gone:
            c = node.copies.pop(cmd)
            self._account(node, -c.cost)
            if c.name is not None and c.name in self._names:
                self._names[c.name].discard(key)
                if not self._names[c.name]:
                    del self._names[c.name]
        self._drop_empty(key, node)
        return bool(gone), watchers

    def _drop_empty(self, key: bytes, node: _Node) -> None:
        if not node.copies and not node.watchers:
            del self._keys[key]
            self.bytes -= node.cost

    def _account(self, node: _Node, d: int) -> None:
        node.cost += d
        self.bytes += d

    def _evict(self) -> None:
        tries = 16  # keys that somebody waits for are passed over
        while self.bytes > self.max_bytes and tries:
            key = next(iter(self._keys))
            node = self._keys[key]
            if node.watchers or all(c.flight is not None for c in node.copies.values()):
                self._keys.move_to_end(key)
                tries -= 1
                continue
            self._drop(key, node)
            self.evictions += 1
            if self._keys.get(key) is node:  # a reply to it is on its way
                self._keys.move_to_end(key)
                tries -= 1

    def stats(self) -> dict[str, int]:
        return {
            "hits": self.hits,
            "misses": self.misses,
            "shared": self.shared,
            "invalidations": self.invalidations,
            "flushes": self.flushes,
            "evictions": self.evictions,
            "keys": len(self._keys),
            "bytes": self.bytes,
        }
