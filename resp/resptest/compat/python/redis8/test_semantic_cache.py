"""resp/client/python: the semantic cache, near, for threads and for asyncio."""

import asyncio
import math
import threading

import pytest
import redis

from nearcache import AsyncNearCache, AsyncSemanticCache, Computed, NearCache, SemanticCache

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


def barrier(cache):
    cache.near.execute("PING")


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
