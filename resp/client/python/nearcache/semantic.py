"""A namespace of the server's semantic cache (SEM.*), with the answers that this process has seen kept near."""

from __future__ import annotations

import array
import asyncio
import contextlib
import functools
import inspect
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Optional, Sequence, Union

from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from .aio import AsyncNearCache
from .conversation import conversation
from .core import Call, Core, millis, to_key
from .local import Flight
from .sync import NearCache
from .wire import encode, to_text

Vector = Union[bytes, Sequence[float]]
Embed = Callable[[str], Vector]
AsyncEmbed = Callable[[str], Awaitable[Vector]]
Prompt = Union[str, Sequence[Any]]
"""A text, or the messages of a conversation, of which the last is asked (see conversation)."""

SEMANTIC = ("SEM.GET",)
EXACTLY = ("SEM.GET", "MODE", "EXACT")
WAIT_FIRST, WAIT_MOST = 0.005, 0.2  # seconds between looks for an answer that another client computes, doubled
HELD_MOST = 600.0  # seconds that a lease is renewed: what has not returned by then will not
# What a server says that cannot store at the moment. It is not the caller's mistake, who gets what was computed.
UNABLE = ("OOM ", "MISCONF ", "READONLY ", "LOADING ", "NOREPLICAS ")


@dataclass(frozen=True)
class Answer:
    """What was found. status is exact, semantic, miss, or lease: another client computes it."""

    text: str
    status: str
    id: str = ""
    sim: float = 0.0
    confidence: float = 0.0
    reason: str = ""
    token: str = ""

    @property
    def hit(self) -> bool:
        return bool(self.id)


@dataclass
class Computed:
    """An answer to be stored. ttl is in seconds, deps are keys whose change makes it stale, cost is in dollars."""

    text: str
    ttl: Optional[float] = None
    tags: Sequence[str] = ()
    deps: Sequence[str] = ()
    answer_id: str = ""
    model: str = ""
    cost: float = 0.0
    tokens: int = 0


def blob(v: Vector) -> bytes:
    """A vector as the server takes it: float32, little-endian."""
    if isinstance(v, (bytes, bytearray, memoryview)):
        return bytes(v)
    a = array.array("f", v)
    if sys.byteorder == "big":
        a.byteswap()
    return a.tobytes()


@dataclass
class _Question:
    prompt: str
    context: str = ""
    before: str = ""
    scope: Mapping[str, str] = field(default_factory=dict)
    vector: Optional[bytes] = None
    before_vector: Optional[bytes] = None

    def key(self, ns: str) -> bytes:
        """What the answer is kept under: no key of the server's. The vectors of texts are left out, as these decide them."""
        said = b"" if self.before or self.before_vector is None else self.before_vector
        words = (ns, self.prompt, self.context, self.before, said, *(w for p in sorted(self.scope.items()) for w in p))
        return b"\0sem" + encode(words)

    def wants(self) -> list[str]:
        """The texts whose vectors are missing."""
        out = [self.prompt] if self.vector is None else []
        if self.before and self.before_vector is None:
            out.append(self.before)
        return out

    def embedded(self, text: str, vector: bytes) -> None:
        if text == self.prompt and self.vector is None:
            self.vector = vector
        else:
            self.before_vector = vector

    def args(self) -> list:
        out: list = []
        for word, v in (("VEC", self.vector), ("CTX", self.context), ("CTXTEXT", self.before), ("CTXVEC", self.before_vector)):
            if v is not None and v != "":
                out += [word, v]
        if self.scope:
            out += ["SCOPE", len(self.scope)]
            for f, x in self.scope.items():
                out += [f, x]
        return out


class _Semantic:
    def __init__(self, near: Core, namespace: str, scope: Optional[Mapping[str, str]], lease: float, similar: bool, own: bool) -> None:
        self.near, self.namespace, self.lease, self.similar = near, namespace, min(lease, HELD_MOST), similar
        self.scope = dict(scope or {})
        self._own = own
        self._prefix = f"sem:{{{namespace}}}:".encode()

    def _question(
        self, prompt: Prompt, context: str, before: str, scope: Optional[Mapping[str, str]], vector: Optional[Vector],
        before_vector: Optional[Vector],
    ) -> _Question:
        if not isinstance(prompt, str):
            if before or before_vector is not None:
                raise ValueError("what came before is in the messages")
            turn = conversation(prompt, self.similar)
            prompt, before = turn.prompt, turn.before
            context = f"{context}:{turn.context}" if context else turn.context
        return _Question(
            prompt, context, before, {**self.scope, **(scope or {})}, None if vector is None else blob(vector),
            None if before_vector is None else blob(before_vector),
        )

    def _ask(self, q: _Question, more: tuple = ()) -> _Asked:
        return _Asked(self, ("SEM.GET", self.namespace, q.prompt, *q.args(), *more, "TRACK"))

    def _end_lease(self, token: Any) -> None:
        """Gives a lease back. Where there is no connection it has ended with that."""
        with contextlib.suppress(ConnectionError):
            self.near._tell("SEM.LEASE", "ABORT", self.namespace, token)

    def _renew(self, token: str) -> None:
        self.near._tell("SEM.LEASE", "RENEW", self.namespace, token)

    def _near(self, key: bytes) -> Optional[Answer]:
        for cmd in (SEMANTIC, EXACTLY):
            c = self.near.local.get(key, cmd)
            if c is not None:
                return _answer(c.value)
        return None

    def _set(self, q: _Question, x: Computed, token: str) -> tuple:
        out: list = ["SEM.SET", self.namespace, q.prompt, x.text, *q.args()]
        if x.ttl is not None:
            out += ["PX", millis(x.ttl)]
        for word, l in (("TAGS", x.tags), ("DEPS", x.deps)):
            if l:
                out += [word, len(l), *l]
        for word, v in (("ANSWERID", x.answer_id), ("MODEL", x.model), ("COST", x.cost), ("TOKENS", x.tokens), ("LEASE", token)):
            if v:
                out += [word, v]
        return tuple(out)

    def _create(self, dim: int, options: Mapping[str, Any]) -> tuple:
        out: list = ["SEM.CREATE", self.namespace, "DIM", dim]
        for name, v in options.items():
            if v is True:
                out.append(name.upper())
            elif isinstance(v, (list, tuple)):
                out += [name.upper(), len(v), *v]
            elif v is not False and v is not None:
                out += [name.upper(), v]
        return tuple(out)

    def _made(self, reply: Any) -> None:
        """Takes SEM.CREATE's reply; that there is such a namespace, perhaps since a moment ago, is no error."""
        if not (isinstance(reply, ResponseError) and "exists already" in str(reply)):
            self.near.result(reply)

    def _scan(self, cursor: Any) -> tuple:
        return ("SCAN", cursor, "MATCH", re.sub(r"([\\*?\[\]])", r"\\\1", self._prefix.decode()) + "*", "COUNT", 1000)

    def _ids(self, keys: Sequence[Union[bytes, str]]) -> list[bytes]:
        return [to_key(k)[len(self._prefix) :] for k in keys]

    def _feedback(self, id: str, good: bool, prompt: Optional[Prompt]) -> tuple:
        out = ("SEM.FEEDBACK", self.namespace, id, "GOOD" if good else "BAD")
        if prompt is None:
            return out
        return (*out, "QUERY", prompt if isinstance(prompt, str) else conversation(prompt).prompt)


class _Asked:
    """A question to the server, whose answer dies with the pseudo-key that is named after its id, or at its end."""

    def __init__(self, cache: _Semantic, command: tuple) -> None:
        self.cache, self.command = cache, command
        self.at = 0.0  # when it was sent; 0: another's question was shared
        self.left = False
        self.token: Optional[bytes] = None

    def request(self, key: bytes, cmd: tuple, f: Flight) -> tuple[bytes, Call]:
        self.at = time.monotonic()
        near = self.cache.near

        def on_reply(i: int, value: Any, error: Optional[BaseException]) -> None:
            if error is None and isinstance(value, ResponseError):
                error = value
            if error is not None:
                near.local.fail(key, cmd, f, error)
                return
            self.token = value.get(b"token")
            if self.left:
                self.leave()
            name = self.cache._prefix + value[b"id"] if b"id" in value else None
            _, end = near._ends(value.get(b"pttl"), self.at)
            near.local.land_under(key, cmd, f, value, name, end)

        return encode(self.command), Call(1, on_reply)

    def leave(self) -> None:
        """Who has asked waits no longer: a lease that comes, or has come, is given back, else all others would wait for
        nobody until it ends."""
        self.left = True
        if self.token is not None:
            self.cache._end_lease(self.token)


def _answer(v: dict, mine: bool = True) -> Answer:
    def text(name: bytes) -> str:
        return to_text(v[name]) if name in v else ""

    return Answer(
        text(b"answer"), text(b"status"), text(b"id"), float(v.get(b"sim", 0)), float(v.get(b"confidence", 0)), text(b"reason"),
        text(b"token") if mine else "",
    )


def _computed(x: Union[str, Computed], more: Mapping[str, Any]) -> Computed:
    x = x if isinstance(x, Computed) else Computed(x, **more)
    if not isinstance(x.text, str):  # a number would come back as a text, and what is still to be read cannot be kept
        raise TypeError(f"an answer is a str or Computed, not {type(x.text).__name__}")
    return x


def _unable(e: Exception) -> bool:
    """Whether an answer could not be stored through no fault of the caller's."""
    return isinstance(e, (ConnectionError, TimeoutError)) or isinstance(e, ResponseError) and str(e).startswith(UNABLE)


@contextlib.contextmanager
def though_away() -> Iterator[None]:
    """Goes on where the server is away or cannot store: an application has its answer from elsewhere."""
    try:
        yield
    except Exception as e:
        if not _unable(e):
            raise


class SemanticCache(_Semantic):
    """For threads.

    near       a NearCache, or the URL for one of its own
    namespace  made by create, or by SEM.CREATE
    embed      makes the vector of a prompt, or of what came before it, and is called only where the very prompt is not
               known; None: the server does
    scope      fields and values that are part of every question: who shares answers
    lease      seconds after which another caller may begin where the one that computes has died: it is renewed as long as
               compute runs, for ten minutes at most
    similar    what was said before the last of some messages need only mean the same

    A prompt is a text or the messages of a conversation. Beside a text, context names what has to be the same before it (a
    hash, say), and before is what need only mean the same, with before_vector for its vector. Answers never cross either.
    """

    near: NearCache

    def __init__(
        self,
        near: Union[NearCache, str] = "redis://localhost:6379",
        namespace: str = "llm",
        *,
        embed: Optional[Embed] = None,
        scope: Optional[Mapping[str, str]] = None,
        lease: float = 30.0,
        similar: bool = False,
    ) -> None:
        own = isinstance(near, str)
        super().__init__(NearCache(near) if isinstance(near, str) else near, namespace, scope, lease, similar, own)
        self.embed = embed

    def __enter__(self) -> SemanticCache:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        if self._own:
            self.near.close()

    def create(self, dim: int, **options: Any) -> SemanticCache:
        """Makes the namespace, unless there is one of that name. Options are those of SEM.CREATE: maxwrong=0.1,
        guard="STRICT", px=3600_000, require=["tenant"] …"""
        self._made(self.near._execute([self._create(dim, options)], [])[0])
        return self

    def get(
        self, prompt: Prompt, *, context: str = "", before: str = "", scope: Optional[Mapping[str, str]] = None,
        vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
    ) -> Answer:
        """Looks for an answer: here, then on the server."""
        q = self._question(prompt, context, before, scope, vector, before_vector)
        key = q.key(self.namespace)
        return self._near(key) or self._get(q, key)

    def _get(self, q: _Question, key: bytes, more: tuple = ()) -> Answer:
        if self.embed is not None and q.wants():
            a = self._kept(key, EXACTLY, self._ask(q, ("MODE", "EXACT")))
            if a.hit:
                return a
            self._embed(q)
        return self._kept(key, SEMANTIC, self._ask(q, more))

    def _embed(self, q: _Question) -> None:
        if self.embed is not None:
            for text in q.wants():
                q.embedded(text, blob(self.embed(text)))

    def _kept(self, key: bytes, cmd: tuple, asked: _Asked) -> Answer:
        try:
            value, _ = self.near._kept(key, cmd, asked.request)
        except BaseException:
            asked.leave()
            raise
        return _answer(value, bool(asked.at))

    def set(
        self, prompt: Prompt, answer: Union[str, Computed], *, context: str = "", before: str = "",
        scope: Optional[Mapping[str, str]] = None, vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
        token: str = "", **more: Any,
    ) -> Optional[str]:
        """Stores an answer and returns its id; None where its lease has ended, or what it depends on has changed. more
        are the fields of Computed: ttl, tags, deps …"""
        return self._store(self._question(prompt, context, before, scope, vector, before_vector), _computed(answer, more), token)

    def _store(self, q: _Question, x: Computed, token: str) -> Optional[str]:
        self._embed(q)
        reply = self.near._execute([self._set(q, x, token)], [q.key(self.namespace)])[0]
        value = self.near.result(reply)
        return value.decode() if isinstance(value, bytes) else value

    def cached(
        self, prompt: Prompt, compute: Callable[[], Union[str, Computed]], *, context: str = "", before: str = "",
        scope: Optional[Mapping[str, str]] = None, vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
        **more: Any,
    ) -> str:
        """The answer; where there is none, one caller of all processes calls compute and stores what it returns, and the
        others wait for it, those with a prompt that means the same as well. An answer that could not be stored, since
        what it depends on has changed or the server is away, is returned to who has computed it; while the server is
        away, each caller computes."""
        q = self._question(prompt, context, before, scope, vector, before_vector)
        key = q.key(self.namespace)
        wait = WAIT_FIRST
        while True:
            a: Optional[Answer] = None
            with though_away():
                a = self._near(key) or self._get(q, key, ("LEASE", millis(self.lease)))
            if a is None:
                return _computed(compute(), more).text
            if a.hit:
                return a.text
            if a.token:
                break
            time.sleep(wait)
            wait = min(2 * wait, WAIT_MOST)
        try:
            with self._held(a.token):
                x = _computed(compute(), more)
            self._store_computed(q, x, a.token)
        except BaseException:
            self._end_lease(a.token)
            raise
        return x.text

    @contextlib.contextmanager
    def _held(self, token: str) -> Iterator[None]:
        """Renews a lease meanwhile."""
        done = threading.Event()

        def renew() -> None:
            end = time.monotonic() + HELD_MOST
            while not done.wait(self.lease / 3) and time.monotonic() < end:
                with contextlib.suppress(ConnectionError):
                    self._renew(token)

        threading.Thread(target=renew, name="nearcache-lease", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def _store_computed(self, q: _Question, x: Computed, token: str) -> None:
        try:
            self._store(q, x, token)
        except Exception as e:
            if not _unable(e):
                raise
            self._end_lease(token)

    def memo(self, **more: Any) -> Callable[[Callable[..., str]], Callable[..., str]]:
        """A decorator: of a function from a prompt, or the messages of a conversation, to an answer, which is asked only
        where there is none. Further arguments of the function are not looked at; what decides about the answer belongs
        into scope or context."""

        def decorate(f: Callable[..., str]) -> Callable[..., str]:
            @functools.wraps(f)
            def wrapped(prompt: Prompt, *args: Any, **kw: Any) -> str:
                return self.cached(prompt, lambda: f(prompt, *args, **kw), **more)

            return wrapped

        return decorate

    def feedback(self, id: str, good: bool, prompt: Optional[Prompt] = None) -> None:
        """Says whether the answer of an entry was right: thresholds around it move."""
        self.near.execute(*self._feedback(id, good, prompt))

    def invalidate(self, by: str, *words: Any) -> int:
        """invalidate("TAG", "shipping"), ("DEP", key), ("MODEL", name), ("SCOPE", field, value)."""
        return self.near.execute("SEM.INVALIDATE", self.namespace, by, *words)

    def delete(self, *ids: str) -> int:
        return self.near.execute("SEM.DEL", self.namespace, *ids)

    def clear(self) -> None:
        """Removes all answers; the namespace stays, with what it has learned."""
        cursor: Any = b"0"
        while True:
            cursor, keys = self.near.result(self.near._execute([self._scan(cursor)], [])[0])
            if keys:
                self.delete(*self._ids(keys))
            if int(cursor) == 0:
                return

    def stats(self) -> dict:
        """What the namespace has done, and what it has saved."""
        return _strings(self.near._execute([("SEM.STATS", self.namespace)], [])[0])


class AsyncSemanticCache(_Semantic):
    """For asyncio, on an AsyncNearCache. See SemanticCache; embed and compute may be coroutine functions."""

    near: AsyncNearCache

    def __init__(
        self,
        near: AsyncNearCache,
        namespace: str = "llm",
        *,
        embed: Optional[Union[Embed, AsyncEmbed]] = None,
        scope: Optional[Mapping[str, str]] = None,
        lease: float = 30.0,
        similar: bool = False,
    ) -> None:
        super().__init__(near, namespace, scope, lease, similar, False)
        self.embed = embed

    async def create(self, dim: int, **options: Any) -> AsyncSemanticCache:
        self._made((await self.near._execute([self._create(dim, options)], []))[0])
        return self

    async def get(
        self, prompt: Prompt, *, context: str = "", before: str = "", scope: Optional[Mapping[str, str]] = None,
        vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
    ) -> Answer:
        q = self._question(prompt, context, before, scope, vector, before_vector)
        key = q.key(self.namespace)
        return self._near(key) or await self._get(q, key)

    async def _get(self, q: _Question, key: bytes, more: tuple = ()) -> Answer:
        if self.embed is not None and q.wants():
            a = await self._kept(key, EXACTLY, self._ask(q, ("MODE", "EXACT")))
            if a.hit:
                return a
            await self._embed(q)
        return await self._kept(key, SEMANTIC, self._ask(q, more))

    async def _embed(self, q: _Question) -> None:
        if self.embed is not None:
            for text in q.wants():
                v: Any = self.embed(text)
                q.embedded(text, blob(await v if inspect.isawaitable(v) else v))

    async def _kept(self, key: bytes, cmd: tuple, asked: _Asked) -> Answer:
        try:
            value, _ = await self.near._kept(key, cmd, asked.request)
        except BaseException:
            asked.leave()
            raise
        return _answer(value, bool(asked.at))

    async def set(
        self, prompt: Prompt, answer: Union[str, Computed], *, context: str = "", before: str = "",
        scope: Optional[Mapping[str, str]] = None, vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
        token: str = "", **more: Any,
    ) -> Optional[str]:
        return await self._store(self._question(prompt, context, before, scope, vector, before_vector), _computed(answer, more), token)

    async def _store(self, q: _Question, x: Computed, token: str) -> Optional[str]:
        await self._embed(q)
        reply = (await self.near._execute([self._set(q, x, token)], [q.key(self.namespace)]))[0]
        value = self.near.result(reply)
        return value.decode() if isinstance(value, bytes) else value

    async def cached(
        self, prompt: Prompt, compute: Callable[[], Any], *, context: str = "", before: str = "",
        scope: Optional[Mapping[str, str]] = None, vector: Optional[Vector] = None, before_vector: Optional[Vector] = None,
        **more: Any,
    ) -> str:
        q = self._question(prompt, context, before, scope, vector, before_vector)
        key = q.key(self.namespace)
        wait = WAIT_FIRST
        while True:
            a: Optional[Answer] = None
            with though_away():
                a = self._near(key) or await self._get(q, key, ("LEASE", millis(self.lease)))
            if a is None:
                return (await self._compute(compute, more)).text
            if a.hit:
                return a.text
            if a.token:
                break
            await asyncio.sleep(wait)
            wait = min(2 * wait, WAIT_MOST)
        try:
            async with self._held(a.token):
                x = await self._compute(compute, more)
            await self._store_computed(q, x, a.token)
        except BaseException:
            self._end_lease(a.token)
            raise
        return x.text

    async def _compute(self, compute: Callable[[], Any], more: Mapping[str, Any]) -> Computed:
        v = compute()
        return _computed(await v if inspect.isawaitable(v) else v, more)

    @contextlib.asynccontextmanager
    async def _held(self, token: str) -> AsyncIterator[None]:
        """Renews a lease meanwhile."""

        async def renew() -> None:
            end = time.monotonic() + HELD_MOST
            while time.monotonic() < end:
                await asyncio.sleep(self.lease / 3)
                self._renew(token)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()

    async def _store_computed(self, q: _Question, x: Computed, token: str) -> None:
        try:
            await self._store(q, x, token)
        except Exception as e:
            if not _unable(e):
                raise
            self._end_lease(token)

    def memo(self, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[str]]]:
        """A decorator of a coroutine function from a prompt, or messages, to an answer; see SemanticCache.memo."""

        def decorate(f: Callable[..., Any]) -> Callable[..., Awaitable[str]]:
            @functools.wraps(f)
            async def wrapped(prompt: Prompt, *args: Any, **kw: Any) -> str:
                return await self.cached(prompt, lambda: f(prompt, *args, **kw), **more)

            return wrapped

        return decorate

    async def feedback(self, id: str, good: bool, prompt: Optional[Prompt] = None) -> None:
        await self.near.execute(*self._feedback(id, good, prompt))

    async def invalidate(self, by: str, *words: Any) -> int:
        return await self.near.execute("SEM.INVALIDATE", self.namespace, by, *words)

    async def delete(self, *ids: str) -> int:
        return await self.near.execute("SEM.DEL", self.namespace, *ids)

    async def clear(self) -> None:
        cursor: Any = b"0"
        while True:
            cursor, keys = self.near.result((await self.near._execute([self._scan(cursor)], []))[0])
            if keys:
                await self.delete(*self._ids(keys))
            if int(cursor) == 0:
                return

    async def stats(self) -> dict:
        return _strings((await self.near._execute([("SEM.STATS", self.namespace)], []))[0])


def _strings(v: Any) -> dict:
    if isinstance(v, ResponseError):
        raise v
    return {k.decode(): x for k, x in v.items()}
