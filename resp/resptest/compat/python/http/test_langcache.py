"""The SDK of LangCache, and RedisVL's cache on it."""

import asyncio

import pytest
from langcache import LangCache
from langcache.errors import (
    BadRequestErrorResponseContent,
    NotFoundErrorResponseContent,
    PayloadTooLargeErrorResponseContent,
)
from langcache.models import SearchStrategy
from redisvl.extensions.cache.llm import LangCacheSemanticCache

PROMPT = "How do I reset my password?"
LIKE = "How do I reset my password please?"
OTHER = "What is the capital of France?"


@pytest.fixture
def sdk(url):
    with LangCache(server_url=url, cache_id="sdk", api_key="any") as client:
        yield client


def test_every_call_of_the_sdk(sdk):
    assert sdk.search(prompt=PROMPT).data == []
    saved = sdk.set(prompt=PROMPT, response="Click it.", attributes={"team": "red"}, ttl_millis=60_000)
    [hit] = sdk.search(prompt=PROMPT).data
    assert hit.id == saved.entry_id
    assert (hit.prompt, hit.response, hit.attributes) == (PROMPT, "Click it.", {"team": "red"})
    assert hit.similarity == 1 and hit.search_strategy is SearchStrategy.EXACT
    [hit] = sdk.search(prompt=LIKE, similarity_threshold=0.8, attributes={"team": "red"}).data
    assert 0.8 <= hit.similarity < 1 and hit.search_strategy is SearchStrategy.SEMANTIC
    assert sdk.search(prompt=LIKE, search_strategies=[SearchStrategy.EXACT]).data == []
    assert sdk.search(prompt=LIKE, similarity_threshold=0.999).data == []
    assert sdk.search(prompt=PROMPT, attributes={"team": "blue"}).data == []
    assert sdk.search(prompt=OTHER).data == []
    sdk.set(prompt=PROMPT, response="Call us.")
    both = sdk.search(prompt=PROMPT, max_results=5, search_strategies=[SearchStrategy.EXACT, SearchStrategy.SEMANTIC])
    assert {e.response for e in both.data} == {"Click it.", "Call us."}
    talk = sdk.conversational_search(prompt="And how tall is it?", context=["What is the Eiffel tower?"])
    assert talk.actual_prompt == "What is the Eiffel tower? And how tall is it?" and talk.data == []
    assert sdk.delete_query(attributes={"team": "red"}).deleted_entries_count == 1
    [left] = sdk.search(prompt=PROMPT, max_results=5).data
    sdk.delete_by_id(entry_id=left.id)
    assert sdk.search(prompt=PROMPT).data == []
    sdk.set(prompt=PROMPT, response="once more")
    sdk.flush()
    assert sdk.search(prompt=PROMPT).data == []


def test_errors_are_those_the_sdk_knows(sdk):
    with pytest.raises(BadRequestErrorResponseContent) as e:
        sdk.search(prompt="")
    assert e.value.data.fields[0].field == "prompt" and e.value.data.status == 400
    with pytest.raises(BadRequestErrorResponseContent):
        sdk.search(prompt=PROMPT, similarity_threshold=2)
    with pytest.raises(NotFoundErrorResponseContent):
        sdk.delete_by_id(entry_id="none")
    with pytest.raises(PayloadTooLargeErrorResponseContent):
        sdk.set(prompt=PROMPT, response="x" * 5_000_000)


def test_the_sdk_with_asyncio(url):
    async def run():
        async with LangCache(server_url=url, cache_id="async", api_key="any") as client:
            ids = await asyncio.gather(
                *(client.set_async(prompt=f"question number {n}", response=str(n)) for n in range(20))
            )
            assert len({i.entry_id for i in ids}) == 20
            found = await asyncio.gather(*(client.search_async(prompt=f"question number {n}") for n in range(20)))
            assert [f.data[0].response for f in found] == [str(n) for n in range(20)]
            await client.flush_async()
            assert (await client.search_async(prompt="question number 1")).data == []

    asyncio.run(run())


@pytest.mark.parametrize("scale", ["normalized", "redis"])
def test_redisvl_on_langcache(url, scale):
    cache = LangCacheSemanticCache(
        server_url=url, cache_id="redisvl", api_key="any", ttl=60, distance_scale=scale
    )
    assert cache.check(prompt=PROMPT) == []
    # RedisVL writes what LangCache does not take in attributes in other characters.
    key = cache.store(prompt=PROMPT, response="Click it.", metadata={"topic": "a,b/c"})
    [hit] = cache.check(prompt=PROMPT)
    assert hit["entry_id"] == key and hit["response"] == "Click it." and hit["vector_distance"] == 0
    assert hit["metadata"] == {"topic": "a,b/c"}
    [hit] = cache.check(prompt=LIKE, distance_threshold=0.4, attributes={"topic": "a,b/c"})
    assert 0 < hit["vector_distance"] < 0.4
    assert cache.check(prompt=LIKE, distance_threshold=0.001) == []
    assert cache.check(prompt=PROMPT, attributes={"topic": "other"}) == []
    assert cache.delete_by_attributes({"topic": "a,b/c"})["deleted_entries_count"] == 1
    key = cache.store(prompt=PROMPT, response="Click it.")
    cache.delete_by_id(key)
    assert cache.check(prompt=PROMPT) == []
    cache.store(prompt=PROMPT, response="Click it.")
    cache.clear()
    assert cache.check(prompt=PROMPT) == []


def test_redisvl_on_langcache_with_asyncio(url):
    async def run():
        cache = LangCacheSemanticCache(server_url=url, cache_id="redisvl-async", api_key="any")
        await cache.astore(prompt=PROMPT, response="Click it.")
        [hit] = await cache.acheck(prompt=LIKE, distance_threshold=0.4)
        assert hit["response"] == "Click it."
        await cache.aclear()
        assert await cache.acheck(prompt=PROMPT) == []

    asyncio.run(run())
