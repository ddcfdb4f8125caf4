"""What RedisVL and LangChain see of the server's semantic cache (SEM.*)."""

import math
import struct

import pytest
import redis
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage
from langchain_core.outputs import Generation
from redisvl.index import SearchIndex
from redisvl.query import FilterQuery, VectorQuery
from redisvl.query.filter import Tag

from nearcache import SemanticCache
from nearcache.langchain import NearcacheSemanticCache


def embed(prompt):
    a = math.radians(float(prompt.split()[0]))
    return [math.cos(a), math.sin(a)]


@pytest.fixture
def cache(address):
    with SemanticCache("redis://%s:%d" % address, "ns", embed=embed) as c:
        yield c.create(2, maxwrong=1)


def test_redisvl_reads_the_entries(cache, address):
    cache.set("10 degrees", "little", scope={"tenant": "acme"}, tags=["angles"])
    cache.set("80 degrees", "much")
    client = redis.Redis(host=address[0], port=address[1])
    index = SearchIndex.from_existing("sem:{ns}", redis_client=client)
    rows = index.query(VectorQuery(embed("12 degrees"), "prompt_vector", return_fields=["prompt", "response"], num_results=2))
    assert [(r["prompt"], r["response"]) for r in rows] == [("10 degrees", "little"), ("80 degrees", "much")]
    rows = index.query(FilterQuery(Tag("tags") == "angles", return_fields=["response"]))
    assert [r["response"] for r in rows] == ["little"]
    # What another client writes under the prefix is found by FT.SEARCH, and not served: it is of no scope.
    client.hset("sem:{ns}:mine", mapping={"prompt": "40 degrees", "response": "?", "prompt_vector": struct.pack("2f", *embed("40 degrees"))})
    assert not cache.get("40 degrees").text == "?"


def test_langchain(cache):
    c = NearcacheSemanticCache(cache, ttl=60)
    assert c.lookup("10 degrees", "gpt") is None
    c.update("10 degrees", "gpt", [Generation(text="little")])
    assert [g.text for g in c.lookup("10 degrees", "gpt")] == ["little"]
    assert [g.text for g in c.lookup("11 degrees?", "gpt")] == ["little"]
    assert c.lookup("10 degrees", "another model") is None
    c.update("20 degrees", "claude", [Generation(text="some")])
    c.clear(llm_string="gpt")
    assert c.lookup("10 degrees", "gpt") is None
    assert c.lookup("20 degrees", "claude")
    c.clear()
    assert c.lookup("20 degrees", "claude") is None
    c.update("10 degrees", "gpt", [Generation(text="little")])
    assert c.lookup("10 degrees", "gpt")


@pytest.mark.parametrize("similar", [False, True])
def test_langchain_conversations(cache, similar):
    cache.similar = similar
    answers = iter(AIMessage(content=str(i)) for i in range(1, 9))
    model = GenericFakeChatModel(messages=answers, cache=NearcacheSemanticCache(cache))

    def ask(first, system="Be brief.", last="10 degrees are how much", tokens=1):
        said = AIMessage(content="30 degrees", id=str(tokens), response_metadata={"tokens": tokens}, additional_kwargs={"refusal": None})
        return model.invoke([SystemMessage(system), HumanMessage(first), said, HumanMessage(last)]).content

    assert ask("20 degrees was it at noon") == "1"
    assert ask("20 degrees was it at noon", tokens=2) == "1"
    assert ask("20 degrees was it at noon", last="10 degrees are how much?") == "1"
    assert ask("20 degrees was it at noon", system="Be polite.") == "2"
    assert ask("21 degrees was it at noon") == ("1" if similar else "3")
    assert model.invoke("10 degrees are how much").content == ("3" if similar else "4")
    assert model.invoke("10 degrees are how much?").content == ("3" if similar else "4")
    # Who says it is part of what is said.
    by = [model.invoke([ChatMessage("20 degrees", role=r), HumanMessage("10 degrees are how much")]).content for r in ("judge", "critic", "judge")]
    assert by == (["4", "5", "4"] if similar else ["5", "6", "5"])


@pytest.mark.parametrize(
    "calls",
    [
        {"tool_calls": [{"name": "send", "args": {"to": "ann"}, "id": "1"}]},
        {"invalid_tool_calls": [{"name": "send", "args": "{", "id": "1", "error": None}]},
        {"additional_kwargs": {"function_call": {"name": "send", "arguments": "{}"}}},
    ],
)
def test_langchain_keeps_no_calls_of_tools(cache, calls):
    answers = iter([AIMessage(content="", **calls), AIMessage(content="2"), AIMessage(content="3")])
    model = GenericFakeChatModel(messages=answers, cache=NearcacheSemanticCache(cache))
    assert [model.invoke("10 degrees are how much").content for _ in range(3)] == ["", "2", "2"]


def test_langchain_goes_on_while_the_server_is_away(cache, address):
    answers = iter(AIMessage(content=str(i)) for i in range(1, 9))
    model = GenericFakeChatModel(messages=answers, cache=NearcacheSemanticCache(cache))
    assert [model.invoke("10 degrees are how much").content for _ in range(2)] == ["1", "1"]
    cache.near.close()
    assert [model.invoke("20 degrees are how much").content for _ in range(2)] == ["2", "3"]
    # What is no fault of the server's is told.
    with SemanticCache("redis://%s:%d" % address, "no such namespace", embed=embed) as c, pytest.raises(redis.ResponseError):
        NearcacheSemanticCache(c).lookup("10 degrees", "gpt")
