"""The near cache for threads."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from collections import deque
from typing import Any, Callable, Optional

import redis
from redis.exceptions import ConnectionError, TimeoutError

from .core import REDIAL_FIRST, REDIAL_MOST, SEARCH, Arg, Call, Core, Key, names, search_key, to_key
from .wire import Decoder, encode


class _Load:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.ok = False
        self.value: Any = None
        self.error: Optional[BaseException] = None


class NearCache(Core):
    """A near cache on one connection, for many threads. The server must speak RESP3 and know CLIENT TRACKING.

    url              as redis-py reads it: redis://[user:password@]host:port/db, unix://path
    max_bytes        of the copies, with what it takes to find them
    max_ttl          seconds a copy is kept at most; None: as long as its key lives
    timeout          seconds that connecting and a round trip may take
    ping             a connection silent for so many seconds is asked for a sign of life, and given up after as many
    decode_responses str instead of bytes
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379",
        *,
        max_bytes: int = 64 << 20,
        max_ttl: Optional[float] = None,
        timeout: float = 5.0,
        ping: float = 5.0,
        name: str = "",
        decode_responses: bool = False,
    ) -> None:
        super().__init__(url, max_bytes=max_bytes, max_ttl=max_ttl, name=name, decode_responses=decode_responses)
        if self.target.tls:  # a TLS socket may not be read and written by two threads at once
            raise ValueError("NearCache does not speak TLS; AsyncNearCache does")
        self.url, self.timeout, self.ping = url, timeout, ping
        self._begin()
        self._dial_first()
        _all.add(self)

    def _begin(self) -> None:
        self.client = redis.Redis.from_url(self.url, decode_responses=self.decode)
        self._send_lock = threading.Lock()
        self._load_lock = threading.Lock()
        self._running: dict[bytes, _Load] = {}
        self._sock: Optional[socket.socket] = None
        self._up = threading.Event()
        self._closed = False
        self._last_error: Optional[BaseException] = None

    def _dial_first(self) -> None:
        self._thread = threading.Thread(target=self._run, args=(self._dial(),), name="nearcache", daemon=True)
        self._thread.start()
        self._up.wait(self.timeout)

    def _after_fork(self) -> None:
        """The child has no reader, and its parent's connection is not its own."""
        if self._sock is not None:
            self._sock.close()
        closed = self._closed
        self.local.__init__(self.local.max_bytes)  # locks may be held by threads that are not here
        self.calls = deque()
        self._begin()
        if closed:
            self._closed = True
            return
        self._thread = threading.Thread(target=self._run, args=(None,), name="nearcache", daemon=True)
        self._thread.start()

    def __enter__(self) -> NearCache:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. Calls that wait fail."""
        self._closed = True
        self._up.set()
        with self._send_lock:
            if self._sock is not None:
                _shut(self._sock)
        self._thread.join()
        self.client.close()

    # The connection: one thread reads it all the time.

    def _dial(self) -> tuple[socket.socket, Decoder]:
        t = self.target
        try:
            if t.path:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.settimeout(self.timeout)
                sock.connect(t.path)
            else:
                sock = socket.create_connection((t.host, t.port), self.timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            raise ConnectionError(f"cannot connect to {t.path or (t.host, t.port)}: {e}") from e
        try:
            out, n = self.handshake()
            sock.sendall(out)
            d = Decoder()
            while n:
                whole, value = d.next()
                if whole:
                    self.result(value)
                    n -= 1
                    continue
                data = sock.recv(1 << 16)
                if not data:
                    raise ConnectionError("the server has closed the connection")
                d.feed(data)
        except OSError as e:
            sock.close()
            raise ConnectionError(f"the handshake has failed: {e}") from e
        except BaseException:
            sock.close()
            raise
        return sock, d

    def _run(self, dialled: Optional[tuple[socket.socket, Decoder]]) -> None:
        wait = REDIAL_FIRST
        while not self._closed:
            try:
                sock, decoder = dialled or self._dial()
            except Exception as e:
                self._last_error = e
                time.sleep(wait)
                wait = min(2 * wait, REDIAL_MOST)
                continue
            wait = REDIAL_FIRST
            dialled = None
            sock.settimeout(self.ping)
            self.local.live = True
            with self._send_lock:
                self._sock = sock
            self._up.set()
            try:
                self._read(sock, decoder)
            except Exception as e:
                error = e if isinstance(e, ConnectionError) else ConnectionError(f"the connection has ended: {e}")
            self.local.live = False
            with self._send_lock:
                self._sock = None
                calls, self.calls = self.calls, deque()
                if not self._closed:
                    self._up.clear()
            sock.close()
            self._last_error = error
            self.lost(calls, error)

    def _read(self, sock: socket.socket, d: Decoder) -> None:
        self.received(d)  # what came behind the handshake
        asked = False
        reported = time.monotonic()
        while not self._closed:
            if time.monotonic() - reported > self.ping:
                reported = time.monotonic()
                report = self.report()
                if report is not None:
                    self._send(*report)
            try:
                data = sock.recv(1 << 16)
            except socket.timeout:
                if asked:
                    raise ConnectionError("the server is silent") from None
                asked = True
                self._send(encode(("PING",)), Call(1, lambda *_: None))
                continue
            if not data:
                raise ConnectionError("the server has closed the connection")
            asked = False
            d.feed(data)
            self.received(d)
        raise ConnectionError("the near cache is closed")

    def _send(self, out: bytes, call: Call) -> None:
        deadline = time.monotonic() + self.timeout
        while True:
            if self._put(out, call):
                return
            if self._closed:
                raise ConnectionError("the near cache is closed")
            if not self._up.wait(max(0.0, deadline - time.monotonic())):
                raise ConnectionError(f"no connection: {self._last_error}")

    def _put(self, out: bytes, call: Call) -> bool:
        """Sends a request; False where there is no connection."""
        with self._send_lock:
            sock = self._sock
            if sock is None:
                return False
            self.calls.append(call)
            try:
                sock.sendall(out)
            except BaseException as e:  # half a command may be on its way, also where a signal came between
                _shut(sock)  # ends the reader, which fails the call
                if not isinstance(e, OSError):
                    raise
            return True

    def _tell(self, *args: Arg) -> None:
        """Sends a command whose reply nobody waits for, if there is a connection."""
        self._put(encode(args), Call(1, lambda *_: None))

    # What callers use.

    def get(self, key: Key) -> Any:
        """The string under key, None where there is none, which is remembered as well."""
        return self._read_key(to_key(key), ("GET",))[0]

    def read(self, name: str, key: Key, *args: Arg) -> Any:
        """Runs a command that reads one key and nothing else: HGETALL, JSON.GET, ZRANGE … Its reply is remembered for
        as long as the key does not change; it is shared, and must not be changed."""
        return self._read_key(to_key(key), (name.upper(), *args))[0]

    def search(self, *args: Arg) -> Any:
        """FT.SEARCH with these arguments, from the index's name on. Where the server tracks searches (its setting
        search-tracking) the reply, a dict, is remembered until a write makes it another one; it is shared, and must not
        be changed."""
        return self._kept(search_key(args), SEARCH, lambda key, _, f: self.search_request(key, args, f))[0]

    def _read_key(self, key: bytes, cmd: tuple) -> tuple[Any, float]:
        return self._kept(key, cmd, self.read_request)

    def _kept(self, key: bytes, cmd: tuple, request: Callable) -> tuple[Any, float]:
        c = self.local.get(key, cmd)
        if c is not None:
            return c.value, c.key_end
        done = threading.Event()
        f, mine = self.local.begin(key, cmd, done.set)
        if mine:
            try:
                self._send(*request(key, cmd, f))
            except BaseException as e:
                self.local.fail(key, cmd, f, e if isinstance(e, Exception) else ConnectionError("who asked was interrupted"))
                raise
        if not done.wait(2 * self.timeout):
            raise TimeoutError("no reply")
        if f.error is not None:
            raise f.error
        return f.value, f.key_end

    def execute(self, *args: Arg) -> Any:
        """Runs any command and remembers nothing; copies of the keys that it names are dropped when its reply comes.
        Blocking commands and those that change the state of the connection do not belong here: use client."""
        return self.result(self._execute([args], names(args))[0])

    def _execute(self, commands: list[tuple], named: list[bytes]) -> list:
        done = threading.Event()
        outcome: list = []

        def finish(replies: list, error: Optional[BaseException]) -> None:
            if not outcome:
                outcome.append((replies, error))
                done.set()

        self._send(*self.request(commands, named, finish))
        if not done.wait(self.timeout):
            raise TimeoutError("no reply")
        replies, error = outcome[0]
        if error is not None:
            raise error
        return replies

    def cached(self, key: Key, ttl: float, load: Callable[[], Arg], *, stale: float = 0.0, lease: float = 10.0) -> Any:
        """Look-aside: the string under key; where there is none, one caller of all processes calls load and stores what
        it returns for ttl seconds, while the others wait for it. That one holds a lease, the key lease:{key}, for
        lease seconds at most. Should load fail, all who wait in this process get its error; of those in others one
        takes over. For stale seconds after its time an old value is served while one caller loads the next in a
        thread; all who load a key have to agree on stale."""
        k = to_key(key)
        while True:
            value, key_end = self._read_key(k, ("GET",))
            if value is not None:
                if self.is_stale(key_end, stale):
                    self._refresh(k, ttl, load, stale, lease)
                return value
            mine, run = self._join(k)
            if not mine:
                self.waits += 1
                run.done.wait()
                if run.error is not None:
                    raise run.error
                if run.ok:
                    return run.value
                continue
            if self._load(k, run, ttl, load, stale, lease, wait=True):
                return run.value

    def _join(self, key: bytes) -> tuple[bool, _Load]:
        with self._load_lock:
            run = self._running.get(key)
            if run is not None:
                return False, run
            run = self._running[key] = _Load()
            return True, run

    def _load(self, key: bytes, run: _Load, ttl: float, load: Callable[[], Arg], stale: float, lease: float, wait: bool) -> bool:
        """True where the value was loaded here, False where another process has the lease and has ended."""
        try:
            token, command = self.lease_request(key, lease)
            if self.execute(*command) is None:
                if wait:
                    self.waits += 1
                    self._await_lease(key, lease)
                return False
            try:
                self.loads += 1
                value = load()
                self.result(self._execute(self.store_requests(key, value, ttl, stale, token), [key, self.lease_key(key)])[0])
            except BaseException:
                with contextlib.suppress(ConnectionError):  # what has happened is told, not that
                    self._send(encode(self.release(key, token)), Call(1, lambda *_: None))
                raise
            run.value = self._stored(value)
            run.ok = True
            return True
        except Exception as e:
            run.error = e
            raise
        finally:
            with self._load_lock:
                del self._running[key]
            run.done.set()

    def _stored(self, value: Arg) -> Any:
        """What GET answers of a value."""
        if isinstance(value, (int, float)):
            value = repr(value)
        return self._decoded(to_key(value))

    def _refresh(self, key: bytes, ttl: float, load: Callable[[], Arg], stale: float, lease: float) -> None:
        mine, run = self._join(key)
        if not mine:
            return

        def background() -> None:
            try:
                self._load(key, run, ttl, load, stale, lease, wait=False)
            except Exception:
                pass  # the old value is still served; the next caller tries again

        threading.Thread(target=background, name="nearcache-refresh", daemon=True).start()

    def _await_lease(self, key: bytes, lease: float) -> None:
        """Waits until the key is there or its lease has ended. Both are read, so that the server tells."""
        changed = threading.Event()
        for k, missing in ((key, True), (self.lease_key(key), False)):
            value, _ = self._read_key(k, ("GET",))
            if (value is None) != missing or not self.local.watch(k, missing, changed.set):
                return
        changed.wait(min(lease, threading.TIMEOUT_MAX))


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


_all: weakref.WeakSet[NearCache] = weakref.WeakSet()


def _after_fork() -> None:
    for near in list(_all):
        near._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
