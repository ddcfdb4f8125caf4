"""resp/client/python: the semantic cache, near, for threads and for asyncio."""

import asyncio
import contextlib
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from nearcache import AsyncNearCache, AsyncSemanticCache, Computed, NearCache, SemanticCache, Turn, conversation

calls = []


def embed(prompt):
    """Of "10 degrees …" the direction."""
    calls.append(prompt)
    a = math.radians(float(prompt.split()[0]))
    return [math.cos(a), math.sin(a)]


@pytest.fixture
def url(address):
    return "redis://%s:%d" % address


@pytest.fixture
def cache(url):
    calls.clear()
    with SemanticCache(url, "ns", embed=embed, scope={"tenant": "acme"}) as c:
        yield c.create(2, maxwrong=1)


@pytest.fixture
def other(address):
    with redis.Redis(host=address[0], port=address[1], decode_responses=True) as r:
        yield r


def test_clear_takes_the_answers_of_one_namespace(cache, url):
    with SemanticCache(url, "n[s]*", embed=embed) as c, SemanticCache(url, "nsx", embed=embed) as x:
        for s in (c.create(2), x.create(2)):
            for i in range(1200):
                s.set(f"{i % 90} degrees {i}", "?")
        c.clear()
        assert (c.stats()["entries"], x.stats()["entries"]) == (0, 1200)
        assert c.set("10 degrees", "little") and c.get("10 degrees").hit


def barrier(cache):
    cache.near.execute("PING")


def test_one_of_many_makes_the_namespace(url):
    ready, made = threading.Barrier(8), []

    def make():
        with SemanticCache(url, "together", embed=embed) as c:
            ready.wait()
            made.append(c.create(2, maxwrong=1).set("1 degree", "little"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(made) == 8
    with SemanticCache(url, "together") as c, pytest.raises(redis.ResponseError):
        c.create(-1)


def test_answers_are_kept_until_they_die(cache, other):
    assert not cache.get("10 degrees are how much").hit
    id = cache.set("10 degrees are how much", "little", deps=["doc"], ttl=60, cost=0.01, tokens=10)
    a = cache.get("10 degrees are how much")
    assert (a.text, a.status, a.id) == ("little", "exact", id)
    embedded, hits = len(calls), cache.near.stats()["hits"]
    assert cache.get("10 degrees are how much") == a
    assert (len(calls), cache.near.stats()["hits"]) == (embedded, hits + 1)
    b = cache.get("11 degrees are how much?")
    assert (b.text, b.status, b.id) == ("little", "semantic", id) and b.sim > 0.99
    assert cache.get("11 degrees are how much?") == b
    assert not cache.get("10 degrees are how much", scope={"tenant": "other"}).hit
    assert not cache.get("10 degrees are how much", context="c").hit

    other.set("doc", "new")  # both copies die with the entry
    barrier(cache)
    assert not cache.get("10 degrees are how much").hit
    assert not cache.get("11 degrees are how much?").hit
    assert cache.stats()["tokens_saved"] == 20


def test_a_nearer_answer_comes(cache, url):
    cache.set("20 degrees are how much", "some")
    assert cache.get("10 degrees are how much?").text == "some"
    with SemanticCache(url, "ns", embed=embed, scope={"tenant": "acme"}) as c:
        c.create(2)
        c.set("12 degrees are how much", "little")
        c.feedback(c.get("12 degrees are how much").id, True)
    barrier(cache)
    assert cache.get("10 degrees are how much?").text == "little"
    assert cache.invalidate("SCOPE", "tenant", "acme") == 2


@pytest.mark.parametrize("fails", [False, True])
def test_one_computes_and_the_others_wait(cache, url, fails):
    computed, got = [], []
    caches = [cache, SemanticCache(url, "ns", embed=embed, scope={"tenant": "acme"})]
    lock = threading.Lock()

    def compute():
        with lock:
            computed.append(1)
            if fails and len(computed) == 1:
                raise RuntimeError("the model is out")
        return Computed("little", ttl=60)

    def ask(i):
        prompt = ["10 degrees are how much", "10 degrees are how much?"][i // 2 % 2]
        while True:
            try:
                got.append(caches[i % 2].cached(prompt, compute))
                return
            except RuntimeError:
                pass

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == ["little"] * 16 and len(computed) == 1 + fails
    caches[1].close()


def test_memo(cache):
    @cache.memo(ttl=60)
    def answer(prompt, shout=False):
        """Says how much."""
        asked.append(prompt)
        return "little"

    asked = []
    assert [answer("10 degrees"), answer("10 degrees"), answer("10 degrees!", shout=True)] == ["little"] * 3
    assert asked == ["10 degrees"] and answer.__doc__ == "Says how much."


def test_asyncio(url):
    async def aembed(prompt):
        return embed(prompt)

    async def main():
        async with await AsyncNearCache.open(url) as near:
            cache = await AsyncSemanticCache(near, "ans", embed=aembed).create(2, maxwrong=0.5)
            computed = []

            @cache.memo(deps=["doc"])
            async def answer(prompt):
                computed.append(prompt)
                await asyncio.sleep(0.01)
                return "little"

            assert await asyncio.gather(*(answer("10 degrees are how much") for _ in range(8))) == ["little"] * 8
            assert len(computed) == 1
            a = await cache.get("10 degrees are how much")
            assert a.hit and not (await cache.get("90 degrees are how much")).hit
            await near.execute("SET", "doc", "new")
            await near.execute("PING")
            assert not (await cache.get("10 degrees are how much")).hit
            assert (await cache.stats())["entries"] == 0

    asyncio.run(main())


def talk(*contents, system=None):
    roles = ("user", "assistant") * len(contents)
    out = [{"role": r, "content": c} for r, c in zip(roles, contents)]
    return ([{"role": "system", "content": system}] if system else []) + out


def test_a_conversation_is_a_prompt_and_what_came_before():
    t = conversation(talk("Do you ship to Norway?", "Yes.", "How long?", system="Be brief."))
    # The client for Go makes the same.
    assert t == Turn("How long?", "251dbe8a9f39e7edba70a1e4eb4d1aeb")
    assert conversation(talk("How long?")) == Turn("How long?")
    like = conversation(talk("Do you ship to Norway?", "Yes.", "How long?", system="Be brief."), similar=True)
    assert like == Turn("How long?", conversation([*talk(system="Be brief."), *talk("x")]).context, "Yes.\nDo you ship to Norway?\n")
    # Parts of text are text; what else there is has to be the same.
    parts = [{"role": "user", "content": [{"type": "text", "text": "How long?"}]}]
    assert conversation(parts, similar=True) == Turn("How long?")
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]
    call = [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]
    seen = {conversation([*m, *talk("How long?")], similar=True) for m in (picture, call, [*call, *picture], talk("u"))}
    assert len({t.context for t in seen}) == 4 and [t.before for t in seen if t.before] == ["u\n"]
    assert conversation([{"role": "tool", "content": "How long?"}], similar=True).context
    # Of a question about a picture the words alone are the prompt, and the picture has to be the same.
    about = [{"type": "text", "text": "How long?"}, {"type": "image_url", "image_url": {"url": "u"}}]
    asked = [conversation([{"role": "user", "content": c}], similar=True) for c in (about, about[:1], about[1:], [about[0], {**about[1], "image_url": {"url": "v"}}])]
    assert [t.prompt for t in asked if "image" not in t.prompt] == ["How long?"] * 3
    assert len({t.context for t in asked}) == 4 and not any(t.before for t in asked)
    assert conversation([{"role": "user", "content": ""}]).prompt
    assert conversation(talk("x" * (1 << 20), "Yes.", "How long?"), similar=True).before == ""
    with pytest.raises(ValueError):
        conversation([])


def test_what_came_before_divides_the_copies(cache):
    ask = "10 degrees are how much"
    assert cache.set(ask, "little", before="20 degrees was it at noon")
    assert not cache.get(ask).hit
    assert not cache.get(ask, context="20 degrees was it at noon").hit
    for before, status in (("20 degrees was it at noon", "exact"), ("21 degrees was it at noon", "semantic")):
        embedded = len(calls)
        a = cache.get(ask, before=before)
        assert (a.text, a.status) == ("little", status)
        assert len(calls) == embedded + (0 if status == "exact" else 2)
        embedded, hits = len(calls), cache.near.stats()["hits"]
        assert cache.get(ask, before=before) == a
        assert (len(calls), cache.near.stats()["hits"]) == (embedded, hits + 1)
    assert not cache.get(ask).hit
    # By a vector alone.
    north = [math.cos(2), math.sin(2)]
    assert not cache.get(ask, before_vector=north).hit
    assert cache.set(ask, "much", before_vector=north)
    assert [cache.get(ask, before_vector=north).text for _ in range(2)] == ["much"] * 2
    assert cache.get(ask, before="20 degrees was it at noon").text == "little"


@pytest.mark.parametrize("similar", [False, True])
def test_messages(url, cache, similar):
    with SemanticCache(url, "ns", embed=embed, similar=similar) as c:
        computed = []

        @c.memo()
        def answer(messages):
            computed.append(messages)
            return str(len(computed))

        first = talk("20 degrees was it at noon", "30 degrees, to be precise", "10 degrees are how much", system="Be brief.")
        like = talk("21 degrees was it at noon", "30 degrees, to be precise", "10 degrees are how much", system="Be brief.")
        other = talk("20 degrees was it at noon", "30 degrees, to be precise", "10 degrees are how much", system="Be polite.")
        assert [answer(m) for m in (first, like, other, first, like, other)] == (["1", "1", "2"] * 2 if similar else ["1", "2", "3"] * 2)
        assert answer("10 degrees are how much") == str(len(computed))
        a = c.get(first)
        c.feedback(a.id, False, first)
        with pytest.raises(ValueError):
            c.get(first, before="20 degrees")


def test_messages_asyncio(url):
    async def aembed(prompt):
        return embed(prompt)

    async def main():
        async with await AsyncNearCache.open(url) as near:
            cache = await AsyncSemanticCache(near, "ans", embed=aembed, similar=True).create(2, maxwrong=1)
            first = talk("20 degrees was it at noon", "30 degrees, to be precise", "10 degrees are how much")
            like = talk("21 degrees was it at noon", "30 degrees, to be precise", "10 degrees are how much")
            assert await cache.cached(first, lambda: "little") == "little"
            for _ in range(2):
                assert (await cache.get(first)).status == "exact"
                assert (await cache.get(like)).status == "semantic"
                assert not (await cache.get("10 degrees are how much")).hit
            assert await cache.set(like, "much", context="c")
            assert (await cache.get(like, context="c")).text == "much" and (await cache.get(first)).text == "little"

    asyncio.run(main())


@contextlib.contextmanager
def paused(other):
    """The server answers nobody meanwhile."""
    other.client_pause(100_000, all=True)
    yield
    other.client_unpause()


def leases():
    """A lease does end where the machine stands still for so long: the next attempt has a longer one."""
    return (0.6 * 2**i for i in range(6))


def test_what_computes_longer_than_its_lease_is_stored(cache, url):
    def attempt(lease):
        computed = []

        def slow():
            computed.append(1)
            time.sleep(2.5 * lease)
            return f"little {len(computed)}"

        prompt = f"{lease} degrees are how much"
        with SemanticCache(url, "ns", embed=embed, scope={"tenant": "acme", "lease": str(lease)}, lease=lease) as c:
            with SemanticCache(url, "ns", embed=embed, scope=c.scope, lease=lease) as d, ThreadPoolExecutor() as pool:
                answers = [pool.submit(x.cached, prompt, slow) for x in (d, c, d, c)]
            return [a.result() for a in answers] == ["little 1"] * 4 and len(computed) == 1

    assert any(map(attempt, leases()))


def test_what_computes_longer_than_its_lease_is_stored_asyncio(url):
    async def main():
        async with await AsyncNearCache.open(url) as near:
            for i, lease in enumerate(leases()):
                cache = await AsyncSemanticCache(near, f"ns{i}", embed=embed, lease=lease).create(2, maxwrong=1)
                computed = []

                async def slow():
                    computed.append(1)
                    await asyncio.sleep(2.5 * lease)
                    return f"little {len(computed)}"

                answers = await asyncio.gather(*(cache.cached("10 degrees are how much", slow) for _ in range(4)))
                if answers == ["little 1"] * 4 and len(computed) == 1:
                    return
            pytest.fail(f"computed {len(computed)} times: {answers}")

    asyncio.run(main())


def test_the_lease_of_who_has_left_is_given_back(cache, url, other):
    with SemanticCache(NearCache(url), "ns", embed=embed, scope={"tenant": "acme"}, lease=600) as c, c.near:
        c._embed(q := c._question("10 degrees are how much", "", "", None, None, None))
        with paused(other):
            c.near.timeout = 0.2
            assert c.cached("10 degrees are how much", lambda: "no", vector=q.vector) == "no"
        began = time.monotonic()
        assert cache.cached("10 degrees are how much", lambda: "little") == "little"
        assert time.monotonic() - began < 60


def test_the_lease_of_a_cancelled_task_is_given_back(url, other):
    async def main():
        async with await AsyncNearCache.open(url) as near:
            cache = await AsyncSemanticCache(near, "ns", lease=600).create(2, maxwrong=1)
            with paused(other):
                task = asyncio.create_task(cache.cached("10 degrees are how much", lambda: "no", vector=[1.0, 0.0]))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            got = cache.cached("10 degrees are how much", lambda: "little", vector=[1.0, 0.0])
            assert await asyncio.wait_for(got, 60) == "little"

    asyncio.run(main())


def test_what_was_computed_is_returned_though_the_server_is_away(url):
    def fail():
        raise RuntimeError("the model is out")

    for compute, want in ((lambda: "little", "little"), (fail, None)):
        with SemanticCache(url, "ns", embed=embed) as c:
            c.create(2, maxwrong=1)

            def ends():
                c.near.close()
                return compute()

            if want:
                assert c.cached("30 degrees are how much", ends) == want
            else:
                with pytest.raises(RuntimeError):
                    c.cached("30 degrees are how much", ends)

    async def main(compute):
        async with await AsyncNearCache.open(url) as near:
            c = AsyncSemanticCache(near, "ns", embed=embed)

            async def ends():
                await near.close()
                return compute()

            return await c.cached("30 degrees are how much", ends)

    assert asyncio.run(main(lambda: "little")) == "little"
    with pytest.raises(RuntimeError):
        asyncio.run(main(fail))


def test_who_finds_the_server_away_computes(url):
    def fail():
        raise RuntimeError("the model is out")

    with SemanticCache(url, "ns") as c:
        c.near.close()
        assert c.memo()(lambda prompt: prompt + "?")("30 degrees are how much") == "30 degrees are how much?"
        with pytest.raises(RuntimeError):
            c.cached("30 degrees are how much", fail)
        with pytest.raises(TypeError):
            c.cached("30 degrees are how much", lambda: 5)
        with pytest.raises(redis.ConnectionError):
            c.get("30 degrees are how much")

    async def main():
        async with await AsyncNearCache.open(url) as near:
            c = AsyncSemanticCache(near, "ns")
            await near.close()

            @c.memo()
            async def ask(prompt):
                return prompt + "?"

            assert await ask("30 degrees are how much") == "30 degrees are how much?"
            assert await c.cached("30 degrees are how much", lambda: "little") == "little"
            with pytest.raises(RuntimeError):
                await c.cached("30 degrees are how much", fail)

    asyncio.run(main())


def test_a_lease_without_an_end(url):
    with SemanticCache(url, "ns", embed=embed, lease=float("inf")) as c:
        c.create(2, maxwrong=1)
        assert c.cached("30 degrees are how much", lambda: "little") == "little"
        assert c.cached("30 degrees are how much", lambda: "much") == "little"


def test_mistakes_are_told_though_the_server_may_be_away(url):
    with SemanticCache(url, "no such namespace") as c, pytest.raises(redis.ResponseError):
        c.cached("30 degrees are how much", lambda: "little")


def test_what_was_computed_is_returned_though_the_server_is_full(cache, other):
    before = other.config_get("maxmemory")["maxmemory"]
    try:
        assert cache.cached("10 degrees are how much", lambda: other.config_set("maxmemory", 1) and "little") == "little"
    finally:
        other.config_set("maxmemory", before)
    assert cache.cached("10 degrees are how much", lambda: "much") == "much"


@pytest.mark.parametrize("answer", ["", "π ≈ 3\x00", "half a character \ud83d", "a byte \udcff", "both \udcff \ud83d"])
def test_any_text_is_an_answer(cache, url, answer):
    assert cache.cached("10 degrees " + answer, lambda: answer) == answer
    with SemanticCache(url, "ns", embed=embed, scope={"tenant": "acme"}) as c:
        a = c.get("10 degrees " + answer)
        assert (a.text, a.status) == (answer, "exact")


@pytest.mark.parametrize("answer", [None, 5, b"little", iter(["lit", "tle"])])
def test_what_is_no_text_is_no_answer(cache, answer):
    with pytest.raises(TypeError, match="an answer is a str"):
        cache.cached("10 degrees are how much", lambda: answer)
    assert cache.cached("10 degrees are how much", lambda: "little") == "little"


def test_who_shares_the_question_of_a_cancelled_task_asks_itself(url, other):
    other.set("k", "1")

    async def main():
        async with await AsyncNearCache.open(url) as near:
            writer, near._writer = near._writer, None  # as between two connections
            near._up.clear()
            first = asyncio.create_task(near.get("k"))
            await asyncio.sleep(0)
            second = asyncio.create_task(near.get("k"))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            near._writer = writer
            near._up.set()
            assert await second == b"1"

    asyncio.run(main())


def test_a_time_to_live_may_be_infinite(cache, other):
    cache.set("10 degrees are how much", "little", ttl=float("inf"))
    assert cache.near.cached("page", ttl=float("inf"), load=lambda: "text", stale=5) == b"text"
    for key in ("page", *other.keys("sem:{ns}:*")):
        assert other.ttl(key) > 40 * 365 * 86400
    assert cache.get("10 degrees are how much").hit
