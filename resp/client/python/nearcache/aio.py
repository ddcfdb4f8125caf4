"""The near cache for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Awaitable, Callable, Optional

import redis.asyncio
from redis.exceptions import ConnectionError, TimeoutError

from .core import REDIAL_FIRST, REDIAL_MOST, SEARCH, Arg, Call, Core, Key, names, search_key, to_key
from .wire import Decoder, encode


class _Left(Exception):
    """Who was to ask was cancelled; another has to."""


class AsyncNearCache(Core):
    """As NearCache, for the tasks of one event loop. Make it with open, end it with close."""

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
        self.timeout, self.ping = timeout, ping
        self.client = redis.asyncio.Redis.from_url(url, decode_responses=decode_responses)
        self._running: dict[bytes, asyncio.Future] = {}
        self._tasks: set[asyncio.Task] = set()
        self._writer: Optional[asyncio.StreamWriter] = None
        self._up = asyncio.Event()
        self._closed = False
        self._last_error: Optional[BaseException] = None

    @classmethod
    async def open(cls, url: str = "redis://localhost:6379", **options: Any) -> AsyncNearCache:
        near = cls(url, **options)
        streams = await near._dial()
        near._reader_task = asyncio.create_task(near._run(streams))
        await near._up.wait()
        return near

    async def __aenter__(self) -> AsyncNearCache:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection. Calls that wait fail."""
        self._closed = True
        for t in [self._reader_task, *self._tasks]:
            t.cancel()
        await asyncio.gather(self._reader_task, *self._tasks, return_exceptions=True)
        await self.client.aclose()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Decoder]:
        t = self.target
        try:
            if t.path:
                opening = asyncio.open_unix_connection(t.path)
            else:
                opening = asyncio.open_connection(t.host, t.port, ssl=t.ssl_context() if t.tls else None)
            reader, writer = await asyncio.wait_for(opening, self.timeout)
        except (OSError, asyncio.TimeoutError) as e:
            raise ConnectionError(f"cannot connect to {t.path or (t.host, t.port)}: {e}") from e
        try:
            out, n = self.handshake()
            writer.write(out)
            d = Decoder()
            while n:
                whole, value = d.next()
                if whole:
                    self.result(value)
                    n -= 1
                    continue
                data = await asyncio.wait_for(reader.read(1 << 16), self.timeout)
                if not data:
                    raise ConnectionError("the server has closed the connection")
                d.feed(data)
        except (OSError, asyncio.TimeoutError) as e:
            writer.close()
            raise ConnectionError(f"the handshake has failed: {e}") from e
        except BaseException:
            writer.close()
            raise
        return reader, writer, d

    async def _run(self, streams: Any) -> None:
        wait = REDIAL_FIRST
        while True:
            try:
                if streams is None:
                    streams = await self._dial()
            except Exception as e:
                self._last_error = e
                await asyncio.sleep(wait)
                wait = min(2 * wait, REDIAL_MOST)
                continue
            wait = REDIAL_FIRST
            reader, writer, decoder = streams
            streams = None
            self._writer, self.local.live = writer, True
            self._up.set()
            error: BaseException = ConnectionError("the near cache is closed")
            try:
                await self._read(reader, decoder)
            except Exception as e:
                error = e if isinstance(e, ConnectionError) else ConnectionError(f"the connection has ended: {e}")
            finally:  # also where close has cancelled the task
                self._writer = None
                self._up.clear()
                writer.close()
                calls, self.calls = self.calls, deque()
                self._last_error = error
                self.lost(calls, error)

    async def _read(self, reader: asyncio.StreamReader, d: Decoder) -> None:
        self.received(d)  # what came behind the handshake
        asked = False
        loop = asyncio.get_running_loop()
        reported = loop.time()
        while True:
            if loop.time() - reported > self.ping:
                reported = loop.time()
                report = self.report()
                if report is not None:
                    await self._send(*report)
            try:
                data = await asyncio.wait_for(reader.read(1 << 16), self.ping)
            except asyncio.TimeoutError:
                if asked:
                    raise ConnectionError("the server is silent") from None
                asked = True
                await self._send(encode(("PING",)), Call(1, lambda *_: None))
                continue
            if not data:
                raise ConnectionError("the server has closed the connection")
            asked = False
            d.feed(data)
            self.received(d)

    async def _send(self, out: bytes, call: Call) -> None:
        while self._writer is None:
            if self._closed:
                raise ConnectionError("the near cache is closed")
            try:
                await asyncio.wait_for(self._up.wait(), self.timeout)
            except asyncio.TimeoutError:
                raise ConnectionError(f"no connection: {self._last_error}") from None
        self._put(out, call)

    def _put(self, out: bytes, call: Call) -> None:
        if self._writer is not None:
            self.calls.append(call)
            self._writer.write(out)

    def _tell(self, *args: Arg) -> None:
        """Sends a command whose reply nobody waits for, if there is a connection."""
        self._put(encode(args), Call(1, lambda *_: None))

    async def get(self, key: Key) -> Any:
        """The string under key, None where there is none, which is remembered as well."""
        return (await self._read_key(to_key(key), ("GET",)))[0]

    async def read(self, name: str, key: Key, *args: Arg) -> Any:
        """Runs a command that reads one key and nothing else; see NearCache.read."""
        return (await self._read_key(to_key(key), (name.upper(), *args)))[0]

    async def search(self, *args: Arg) -> Any:
        """FT.SEARCH with these arguments, remembered where the server tracks searches; see NearCache.search."""
        return (await self._kept(search_key(args), SEARCH, lambda key, _, f: self.search_request(key, args, f)))[0]

    async def _read_key(self, key: bytes, cmd: tuple) -> tuple[Any, float]:
        return await self._kept(key, cmd, self.read_request)

    async def _kept(self, key: bytes, cmd: tuple, request: Callable) -> tuple[Any, float]:
        while True:
            c = self.local.get(key, cmd)
            if c is not None:
                return c.value, c.key_end
            done = asyncio.Event()
            f, mine = self.local.begin(key, cmd, done.set)
            if mine:
                try:
                    await self._send(*request(key, cmd, f))
                except BaseException as e:
                    self.local.fail(key, cmd, f, e if isinstance(e, Exception) else _Left())
                    raise
            await self._within(done.wait(), 2 * self.timeout)
            if isinstance(f.error, _Left):
                continue
            if f.error is not None:
                raise f.error
            return f.value, f.key_end

    async def _within(self, what: Awaitable, seconds: float) -> Any:
        try:
            return await asyncio.wait_for(what, seconds)
        except asyncio.TimeoutError:
            raise TimeoutError("no reply") from None

    async def execute(self, *args: Arg) -> Any:
        """Runs any command and remembers nothing; see NearCache.execute."""
        return self.result((await self._execute([args], names(args)))[0])

    async def _execute(self, commands: list[tuple], named: list[bytes]) -> list:
        future = asyncio.get_running_loop().create_future()

        def finish(replies: list, error: Optional[BaseException]) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(replies)

        await self._send(*self.request(commands, named, finish))
        return await self._within(future, self.timeout)

    async def cached(
        self, key: Key, ttl: float, load: Callable[[], Awaitable[Arg]], *, stale: float = 0.0, lease: float = 10.0
    ) -> Any:
        """Look-aside with a lease; see NearCache.cached. load is a coroutine function."""
        k = to_key(key)
        while True:
            value, key_end = await self._read_key(k, ("GET",))
            if value is not None:
                if self.is_stale(key_end, stale) and k not in self._running:
                    self._start(k, ttl, load, stale, lease, wait=False)
                return value
            run = self._running.get(k)
            if run is None:
                run = self._start(k, ttl, load, stale, lease, wait=True)
            else:
                self.waits += 1
            ok, value = await asyncio.shield(run)
            if ok:
                return value

    def _start(self, key: bytes, ttl: float, load: Callable, stale: float, lease: float, wait: bool) -> asyncio.Future:
        """Loads in a task of its own, so that a caller that is cancelled does not take the others' answer along."""
        task = asyncio.create_task(self._load(key, ttl, load, stale, lease, wait))
        self._running[key] = task
        self._tasks.add(task)

        def ended(t: asyncio.Task) -> None:
            del self._running[key]
            self._tasks.discard(t)
            if not t.cancelled():
                t.exception()  # those who wait have it

        task.add_done_callback(ended)
        return task

    async def _load(self, key: bytes, ttl: float, load: Callable, stale: float, lease: float, wait: bool) -> tuple[bool, Any]:
        token, command = self.lease_request(key, lease)
        if await self.execute(*command) is None:
            if wait:
                self.waits += 1
                await self._await_lease(key, lease)
            return False, None
        try:
            self.loads += 1
            value = await load()
            replies = await self._execute(self.store_requests(key, value, ttl, stale, token), [key, self.lease_key(key)])
            self.result(replies[0])
        except BaseException:
            with contextlib.suppress(ConnectionError):  # what has happened is told, not that
                await self._send(encode(self.release(key, token)), Call(1, lambda *_: None))
            raise
        if isinstance(value, (int, float)):
            value = repr(value)
        return True, self._decoded(to_key(value))

    async def _await_lease(self, key: bytes, lease: float) -> None:
        changed = asyncio.Event()
        for k, missing in ((key, True), (self.lease_key(key), False)):
            value, _ = await self._read_key(k, ("GET",))
            if (value is None) != missing or not self.local.watch(k, missing, changed.set):
                return
        try:
            await asyncio.wait_for(changed.wait(), lease)
        except asyncio.TimeoutError:
            pass
