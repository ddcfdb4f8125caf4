"""LiteLLM's own caches, on a server that embeds for them, too: over HTTP, as OpenAI would."""

import asyncio
import os
import sys

import numpy
import pytest
import redis
import redis.commands.search.index_definition

os.environ |= {
    "LITELLM_OFFLINE_MODE": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it looks for prices on the network otherwise
    "OPENAI_API_BASE": f"http://{os.environ['NEARCACHE_HTTP']}/v1", "OPENAI_API_KEY": "none is asked",
}
# What valkey-semantic imports has had another name since redis-py 6, which RedisVL asks for.
sys.modules["redis.commands.search.indexDefinition"] = redis.commands.search.index_definition

import litellm  # noqa: E402
from litellm.caching.caching import Cache  # noqa: E402

MODEL = "openai/lexical"
PROMPT, LIKE, OTHER = "How do I reset my password?", "How do I reset my password please?", "Is there a fee for a card in another currency?"
SEMANTIC = ("redis-semantic", "valkey-semantic")
FOUR = "gpt-4o"


def said(text):
    return [{"role": "user", "content": text}]


def similarity(a, b):
    reply = litellm.embedding(model=MODEL, input=[a, b], cache={"no-cache": True, "no-store": True})
    va, vb = (numpy.asarray(e["embedding"]) for e in reply.data)
    return float(va @ vb / numpy.linalg.norm(va) / numpy.linalg.norm(vb))


@pytest.fixture
def r(address):
    with redis.Redis(host=address[0], port=address[1]) as r:
        yield r


@pytest.fixture
def make(address, monkeypatch):
    """Makes the cache that LiteLLM uses; what an earlier test set up is gone."""
    for callbacks in ("input_callback", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, callbacks, [])

    def make(kind, **options):
        if kind in SEMANTIC:
            name = kind.replace("-", "_") + "_cache_embedding_model"
            options = {
                "redis_url": "redis://%s:%d" % address, "similarity_threshold": 0.8, name: MODEL, "semantic_cache_embedding_timeout": 60,
            } | options
        else:
            options = {"host": address[0], "port": str(address[1])} | options
        cache = Cache(type=kind, **options)
        monkeypatch.setattr(litellm, "cache", cache)
        return cache

    return make


async def closed(cache):
    if cache.type == "redis-semantic":
        await cache.cache.llmcache.adisconnect()
    elif cache.type == "valkey-semantic":
        await cache.cache.async_client.aclose()
    else:
        await cache.cache.disconnect()


@pytest.mark.parametrize("kind", SEMANTIC)
def test_semantic(kind, make, r):
    cache = make(kind).cache
    value = {"timestamp": 1.5, "response": '{"quote": "it\'s \\"so\\"", "é": null}'}
    assert cache.get_cache("a", messages=said(PROMPT)) is None
    cache.set_cache("a", value, messages=said(PROMPT))
    (key,) = r.keys()
    assert r.ttl(key) == -1
    about = {}
    assert cache.get_cache("a", messages=said(PROMPT), metadata=about) == value
    assert about["semantic-similarity"] == pytest.approx(1, abs=1e-5)
    assert cache.get_cache("a", messages=said(LIKE), metadata=about) == value
    assert about["semantic-similarity"] == pytest.approx(similarity(PROMPT, LIKE), abs=1e-5)
    # Another subject, another scope.
    assert cache.get_cache("a", messages=said(OTHER)) is None
    assert cache.get_cache("b", messages=said(PROMPT)) is None
    # The nearest of those in the scope.
    cache.set_cache("a", "[2]", messages=said(LIKE))
    cache.set_cache("b:c-d/{e}", "[3]", messages=said(LIKE))
    assert cache.get_cache("a", messages=said(LIKE)) == [2]
    assert cache.get_cache("a", messages=said(PROMPT)) == value
    assert cache.get_cache("b:c-d/{e}", messages=said(PROMPT)) == [3]


@pytest.mark.parametrize("kind", SEMANTIC)
def test_threshold(kind, make):
    s = similarity(PROMPT, LIKE)
    make(kind).cache.set_cache("a", "[1]", messages=said(PROMPT))
    for threshold, want in (s - 0.01, [1]), (s + 0.01, None):
        # Another process with another threshold finds the index there.
        assert make(kind, similarity_threshold=threshold).cache.get_cache("a", messages=said(LIKE)) == want
        assert make(kind, similarity_threshold=threshold).cache.get_cache("a", messages=said(PROMPT)) == [1]


@pytest.mark.parametrize("kind", SEMANTIC)
def test_semantic_ttl(kind, make, r, wait):
    cache = make(kind).cache
    cache.set_cache("a", "[1]", messages=said(PROMPT), ttl=500)
    (key,) = r.keys()
    assert 0 < r.ttl(key) <= 500
    assert cache.get_cache("a", messages=said(PROMPT)) == [1]
    r.pexpire(key, 1)
    wait(lambda: r.exists(key), 0)
    assert cache.get_cache("a", messages=said(PROMPT)) is None


@pytest.mark.parametrize("kind", SEMANTIC)
def test_semantic_async(kind, make, r):
    async def main():
        cache = make(kind)
        c = cache.cache
        assert await c.async_get_cache("a", messages=said(PROMPT)) is None
        await c.async_set_cache("a", {"n": 1}, messages=said(PROMPT), ttl=500)
        (key,) = r.keys()
        assert 0 < r.ttl(key) <= 500
        about = {}
        assert await c.async_get_cache("a", messages=said(LIKE), metadata=about) == {"n": 1}
        assert about["semantic-similarity"] == pytest.approx(similarity(PROMPT, LIKE), abs=1e-5)
        assert await c.async_get_cache("a", messages=said(OTHER)) is None
        assert await c.async_get_cache("b", messages=said(PROMPT)) is None
        await c.async_set_cache_pipeline([(f"k{i}", f"[{i}]") for i in range(20)], messages=said(OTHER))
        got = await asyncio.gather(*(c.async_get_cache(f"k{i}", messages=said(OTHER)) for i in range(20)))
        assert got == [[i] for i in range(20)]
        assert int((await c._index_info())["num_docs"]) == 21
        await closed(cache)

    asyncio.run(main())


def complete(text, answer, **options):
    reply = litellm.completion(model=FOUR, messages=said(text), mock_response=answer, caching=True, **options)
    return reply.choices[0].message.content


@pytest.mark.parametrize("kind", SEMANTIC)
def test_completion(kind, make, r):
    make(kind, ttl=600)
    assert complete(PROMPT, "first") == "first"
    (key,) = r.keys()
    assert 0 < r.ttl(key) <= 600
    assert complete(PROMPT, "second") == "first"
    assert complete(LIKE, "third") == "first"
    assert complete(OTHER, "fourth") == "fourth"
    # What else is asked for is the scope.
    assert complete(LIKE, "fifth", temperature=0.5) == "fifth"
    assert complete(PROMPT, "sixth", temperature=0.5) == "fifth"
    assert complete(PROMPT, "seventh", metadata={"user_api_key": "ann"}) == "seventh"
    assert complete(PROMPT, "eighth", metadata={"user_api_key": "bob"}) == "eighth"
    assert complete(PROMPT, "ninth", cache={"no-cache": True, "no-store": True}) == "ninth"
    assert complete(PROMPT, "tenth") == "first"


async def acomplete(text, answer, count, stored, **options):
    """LiteLLM stores while its caller goes on: waits until as many entries are there."""
    reply = await litellm.acompletion(model=FOUR, messages=said(text), mock_response=answer, caching=True, **options)
    async with asyncio.timeout(20):
        while count() != stored:
            await asyncio.sleep(0.001)
    return reply.choices[0].message.content


@pytest.mark.parametrize("kind", (*SEMANTIC, "redis"))
def test_acompletion(kind, make, r):
    like = LIKE if kind in SEMANTIC else PROMPT

    async def main():
        cache = make(kind, ttl=600)
        assert await acomplete(PROMPT, "first", r.dbsize, 1) == "first"
        assert await acomplete(like, "second", r.dbsize, 1) == "first"
        assert await acomplete(OTHER, "third", r.dbsize, 2) == "third"
        assert await acomplete(PROMPT, "fourth", r.dbsize, 3, temperature=0.5) == "fourth"
        assert await acomplete(like, "fifth", r.dbsize, 3, temperature=0.5) == "fourth"
        assert all(0 < r.ttl(k) <= 600 for k in r.keys())
        await closed(cache)

    asyncio.run(main())


def test_exact(make, r):
    cache = make("redis", namespace="app", ttl=600)
    assert complete(PROMPT, "first") == "first"
    (key,) = r.keys()
    assert key.startswith(b"app:") and 0 < r.ttl(key) <= 600
    assert complete(PROMPT, "second") == "first"
    assert complete(LIKE, "third") == "third"
    c = cache.cache
    assert c.redis_version == r.info()["redis_version"] and c.sync_ping()
    assert c.batch_get_cache(["no", key.decode()])[key.decode()]["timestamp"] > 0
    assert [c.increment_cache("n", 2, ttl=100), c.increment_cache("n", 3)] == [2, 5] and 0 < r.ttl("app:n") <= 100
    assert c.increment_with_floor("n", -9, 100) == 0  # a script
    c.delete_cache(key.decode())
    assert complete(PROMPT, "fourth") == "fourth"


def test_exact_async(make, r):
    async def main():
        cache = make("redis")
        c = cache.cache
        assert await c.ping() and (await c.test_connection())["status"] == "success"
        await c.async_set_cache("one", {"n": 1}, ttl=100)
        await c.async_set_cache_pipeline([("two", {"n": 2}), ("three", [3])], ttl=50)
        assert 50 < r.ttl("one") <= 100 and 0 < await c.async_get_ttl("two") <= 50
        assert await c.async_batch_get_cache(["one", "no", "two", "three"]) == {"one": {"n": 1}, "no": None, "two": {"n": 2}, "three": [3]}
        assert [await c.async_increment("f", 1.5, ttl=9), await c.async_increment("f", 1)] == [1.5, 2.5]
        await c.async_set_max("top", 7, ttl=9)
        await c.async_set_max("top", 5, ttl=9)
        assert r.get("top") == b"7"
        assert await c.async_increment_with_floor("floor", -1, 9) == 0
        assert await c.async_increment_if_present("absent", 1) is None and not r.exists("absent")
        await c.async_set_cache_sadd("set", ["a", "b"], ttl=9)
        assert r.smembers("set") == {b"a", b"b"}
        await c.async_rpush("list", ["x", "y", "z"])
        assert await c.async_lpop("list", 2) == ["x", "y"]
        assert sorted(await c.async_scan_iter("t*")) == [b"three", b"top", b"two"]
        script = c.async_register_script("return redis.call('GET', KEYS[1])")
        assert await script(keys=["top"], args=[]) in ("7", b"7")
        await c.delete_cache_keys(["one", "two"])
        assert not r.exists("one", "two")
        await closed(cache)

    asyncio.run(main())


def test_embeddings_are_cached(make, r):
    make("redis")

    async def main():
        first = await litellm.aembedding(model=MODEL, input=[PROMPT, OTHER], caching=True)
        async with asyncio.timeout(20):
            while r.dbsize() != 2:
                await asyncio.sleep(0.001)
        again = await litellm.aembedding(model=MODEL, input=[OTHER, PROMPT], caching=True)
        assert again._hidden_params["cache_hit"]
        assert [e["embedding"] for e in again.data] == [e["embedding"] for e in reversed(first.data)]
        await closed(litellm.cache)

    asyncio.run(main())
