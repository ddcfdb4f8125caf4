"""langgraph-checkpoint-redis: the state of agents, and their memory."""

import asyncio
import uuid
from typing import Annotated, TypedDict

import pytest
from langgraph.checkpoint.redis import RedisSaver
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.checkpoint.redis.shallow import ShallowRedisSaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.redis import RedisStore
from nearcache_data import banking77, embed, rows


@pytest.fixture
def url(address):
    host, port = address
    return f"redis://{host}:{port}"


class State(TypedDict):
    numbers: Annotated[list, lambda a, b: a + b]


def graph(saver):
    g = StateGraph(State)
    g.add_node("double", lambda s: {"numbers": [s["numbers"][-1] * 2]})
    g.add_node("next", lambda s: {"numbers": [s["numbers"][-1] + 1]})
    g.add_edge(START, "double")
    g.add_edge("double", "next")
    g.add_edge("next", END)
    return g.compile(checkpointer=saver)


def test_saver(url):
    with RedisSaver.from_conn_string(url) as saver:
        saver.setup()
        app = graph(saver)
        one, two = ({"configurable": {"thread_id": t}} for t in ("user-1", "user:2 {x}"))
        assert app.invoke({"numbers": [3]}, one)["numbers"] == [3, 6, 7]
        assert app.invoke({"numbers": [10]}, two)["numbers"] == [10, 20, 21]
        assert app.invoke({"numbers": [1]}, one)["numbers"] == [3, 6, 7, 1, 2, 3]
        assert app.get_state(one).values["numbers"] == [3, 6, 7, 1, 2, 3]
        history = list(app.get_state_history(one))
        assert len(history) == 8
        assert [len(h.values.get("numbers", [])) for h in history] == [6, 5, 4, 3, 3, 2, 1, 0]
        # An older state goes on from where it was.
        old = next(h for h in history if h.values.get("numbers") == [3, 6])
        assert app.invoke(None, old.config)["numbers"] == [3, 6, 7]
        assert len(list(saver.list(two))) == 4
        assert len(list(saver.list(one, limit=2))) == 2
        assert list(saver.list(one, filter={"source": "input"}))
        saver.delete_thread("user-1")
        assert app.get_state(one).values == {}
        assert app.get_state(two).values["numbers"] == [10, 20, 21]


def test_shallow_saver(url):
    with ShallowRedisSaver.from_conn_string(url) as saver:
        saver.setup()
        app = graph(saver)
        one = {"configurable": {"thread_id": "1"}}
        app.invoke({"numbers": [3]}, one)
        assert app.invoke({"numbers": [1]}, one)["numbers"] == [3, 6, 7, 1, 2, 3]
        assert app.get_state(one).values["numbers"] == [3, 6, 7, 1, 2, 3]


def test_saver_asyncio(url):
    async def main():
        async with AsyncRedisSaver.from_conn_string(url) as saver:
            await saver.asetup()
            app = graph(saver)
            threads = [{"configurable": {"thread_id": str(i)}} for i in range(8)]
            got = await asyncio.gather(*(app.ainvoke({"numbers": [i]}, t) for i, t in enumerate(threads)))
            assert [g["numbers"] for g in got] == [[i, 2 * i, 2 * i + 1] for i in range(8)]
            for i, t in enumerate(threads):
                assert (await app.aget_state(t)).values["numbers"] == [i, 2 * i, 2 * i + 1]

    asyncio.run(main())


def test_store(url):
    texts = [q["text"] for q in banking77()[::400]][:20]

    def vectors(batch):
        return [embed(t) if t in rows() else embed(texts[0]) for t in batch]

    with RedisStore.from_conn_string(url, index={"dims": 384, "embed": vectors, "fields": ["text"]}) as store:
        store.setup()
        for i, t in enumerate(texts):
            store.put(("users", "a" if i % 2 else "b"), str(i), {"text": t, "n": i})
        assert store.get(("users", "b"), "0").value["text"] == texts[0]
        assert store.get(("users", "b"), "1") is None
        assert {i.key for i in store.search(("users", "a"), limit=50)} == {str(i) for i in range(1, 20, 2)}
        assert len(store.search(("users",), limit=50)) == 20
        best = store.search(("users",), query=texts[3], limit=3)
        assert best[0].key == "3" and best[0].score > best[1].score
        assert {i.key for i in store.search(("users", "a"), filter={"n": 3}, limit=50)} == {"3"}
        assert sorted(store.list_namespaces(prefix=("users",))) == [("users", "a"), ("users", "b")]
        store.put(("users", "a"), "3", {"text": texts[4], "n": 33})
        assert store.get(("users", "a"), "3").value["n"] == 33
        store.delete(("users", "a"), "3")
        assert store.get(("users", "a"), "3") is None
        assert len(store.search(("users", "a"), limit=50)) == 9
