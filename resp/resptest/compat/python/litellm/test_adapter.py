"""nearcache.litellm: LiteLLM on SEM.*, near."""

import asyncio

import pytest
from test_litellm import FOUR, LIKE, MODEL, OTHER, PROMPT, acomplete, complete, litellm, r, said  # noqa: F401

from nearcache import SemanticCache
from nearcache.litellm import NearcacheLiteLLM


@pytest.fixture
def make(address, monkeypatch):
    for callbacks in ("input_callback", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, callbacks, [])
    # The server embeds.
    with SemanticCache("redis://%s:%d" % address, "llm") as c:
        c.create(384, maxwrong=1)

        def make(**options):
            cache = NearcacheLiteLLM(c, **options)
            monkeypatch.setattr(litellm, "cache", cache)
            return cache

        yield make


@pytest.fixture
def count(r):
    return lambda: len(r.keys("sem:{llm}:*"))


def test_completion(make, r, count):
    cache = make(ttl=600)
    assert complete(PROMPT, "first") == "first"
    assert complete(PROMPT, "second") == "first"
    assert complete(LIKE, "third") == "first"
    assert complete(OTHER, "fourth") == "fourth"
    assert count() == 2 and all(0 < r.ttl(k) <= 600 for k in r.keys("sem:{llm}:*"))
    # What has been found is here.
    assert complete(OTHER, "no") == "fourth"
    hits = cache.cache.cache.near.stats()["hits"]
    assert [complete(PROMPT, "no"), complete(LIKE, "no"), complete(OTHER, "no")] == ["first", "first", "fourth"]
    assert cache.cache.cache.near.stats()["hits"] == hits + 3
    # What else is asked for is the scope.
    assert complete(LIKE, "fifth", temperature=0.5) == "fifth"
    assert complete(PROMPT, "sixth", temperature=0.5) == "fifth"
    assert complete(PROMPT, "seventh", user="ann") == "seventh"
    assert complete(PROMPT, "eighth", metadata={"user_api_key": "bob"}) == "eighth"
    assert complete(PROMPT, "ninth", metadata={"user_api_key": "carl"}) == "ninth"
    assert complete(LIKE, "tenth", metadata={"user_api_key": "bob"}) == "eighth"
    assert complete(PROMPT, "no", cache={"no-cache": True, "no-store": True}) == "no"


def ask(*messages, answer):
    roles = ("user", "assistant") * len(messages)
    messages = [{"role": a, "content": c} for a, c in zip(roles, messages)]
    return litellm.completion(model="gpt-4o", messages=messages, mock_response=answer, caching=True).choices[0].message.content


def test_conversation(make):
    make()
    assert ask("I lost my card.", "Sorry!", PROMPT, answer="first") == "first"
    assert ask("I lost my card.", "Sorry!", LIKE, answer="second") == "first"
    assert ask("I want a loan.", "Fine!", LIKE, answer="third") == "third"
    assert ask(LIKE, answer="fourth") == "fourth"


def test_conversation_that_is_like_another(make):
    make().cache.cache.similar = True
    assert ask("I lost my card.", "Sorry!", PROMPT, answer="first") == "first"
    for _ in range(2):
        assert ask("I lost my card!", "Sorry!", PROMPT, answer="second") == "first"
        assert ask(PROMPT, answer="third") == "third"


def test_acompletion(make, count):
    async def main():
        make()
        assert await acomplete(PROMPT, "first", count, 1) == "first"
        assert await acomplete(LIKE, "second", count, 1) == "first"
        assert await acomplete(OTHER, "third", count, 2) == "third"
        assert await acomplete(LIKE, "fourth", count, 3, temperature=0.5) == "fourth"
        assert await acomplete(PROMPT, "fifth", count, 3, temperature=0.5) == "fourth"

    asyncio.run(main())


def test_without_messages_only_the_same_is_the_same(make, count):
    make()

    async def embed(*texts):
        return await litellm.aembedding(model=MODEL, input=list(texts), caching=True)

    async def main():
        first = await embed(PROMPT, LIKE)
        async with asyncio.timeout(20):
            while count() != 2:
                await asyncio.sleep(0.001)
        again = await embed(LIKE, PROMPT)
        assert again._hidden_params["cache_hit"]
        assert [e["embedding"] for e in again.data] == [e["embedding"] for e in reversed(first.data)]
        assert first.data[0]["embedding"] != first.data[1]["embedding"]

    asyncio.run(main())


CALL = {"id": "1", "type": "function", "function": {"name": "send", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {}}}}


def test_calls_of_tools_are_not_kept(make, count):
    make()
    call = {"model": FOUR, "messages": said(PROMPT), "tools": [TOOL], "caching": True}
    assert litellm.completion(**call, mock_tool_calls=[CALL]).choices[0].message.tool_calls
    assert count() == 0
    assert [litellm.completion(**call, mock_response=text).choices[0].message.content for text in ("first", "second")] == ["first", "first"]
    assert count() == 1


@pytest.mark.parametrize(
    "response, kept",
    [
        ({"choices": [{"message": {"content": None, "function_call": {"name": "send", "arguments": "{}"}}}]}, 0),
        ({"output": [{"type": "reasoning"}, {"type": "function_call", "name": "send"}]}, 0),
        ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "little"}]}]}, 1),
        ({"choices": [{"text": "little"}]}, 1),
        ("little", 1),
        (None, 1),
    ],
)
def test_what_is_a_call_of_a_tool(make, count, response, kept):
    make().cache.set_cache("key", {"timestamp": 1.5, "response": response}, messages=said(PROMPT))
    assert count() == kept


def test_the_server_may_be_away(make):
    cache = make()
    assert [complete(PROMPT, text) for text in ("first", "second")] == ["first", "first"]
    cache.cache.cache.near.close()
    assert [complete(OTHER, text) for text in ("first", "second")] == ["first", "second"]

    async def main():
        reply = await litellm.acompletion(model=FOUR, messages=said(OTHER), mock_response="third", caching=True)
        return reply.choices[0].message.content, len((await litellm.aembedding(model=MODEL, input=[PROMPT, LIKE], caching=True)).data)

    assert asyncio.run(main()) == ("third", 2)
