"""mem0 on its Redis vector store: memories of users and agents."""

import os
import tempfile

import pytest
from nearcache_data import banking77, embed, rows

os.environ |= {"MEM0_TELEMETRY": "False", "MEM0_DIR": tempfile.mkdtemp()}

from mem0 import Memory  # noqa: E402
from mem0.embeddings.base import EmbeddingBase  # noqa: E402
from mem0.memory import notices  # noqa: E402
from mem0.vector_stores.redis import RedisDB  # noqa: E402

TEXTS = [q["text"] for q in banking77()[::400]][:20]


@pytest.fixture
def url(address):
    host, port = address
    return f"redis://{host}:{port}"


def ids(results):
    return {r.id for r in results}


def payload(i):
    return {
        "data": TEXTS[i], "hash": f"h{i}", "user_id": "ann" if i % 2 else "bob@example.com", "agent_id": f"agent-{i % 3}",
        "created_at": f"2026-01-{i + 1:02}T12:00:00+00:00", "about": {"n": i},
    }


@pytest.fixture
def store(url):
    s = RedisDB(url, "memories", 384)
    s.insert([embed(t) for t in TEXTS], [payload(i) for i in range(20)], [f"id-{i}" for i in range(20)])
    return s


def test_search(store):
    found = store.search("", embed(TEXTS[3]), top_k=5)
    assert found[0].id == "id-3" and found[0].score == pytest.approx(1, abs=1e-5)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    assert found[0].payload["data"] == TEXTS[3] and found[0].payload["about"] == {"n": 3}
    assert found[0].payload["created_at"].startswith("2026-01-04T12:00:00")
    of_bob = store.search("", embed(TEXTS[3]), top_k=20, filters={"user_id": "bob@example.com", "run_id": None})
    assert ids(of_bob) == {f"id-{i}" for i in range(0, 20, 2)}
    of_both = store.search("", embed(TEXTS[3]), top_k=20, filters={"user_id": "ann", "agent_id": "agent-0"})
    assert ids(of_both) == {f"id-{i}" for i in range(20) if i % 2 and i % 3 == 0}


def test_keywords(store):
    word = max(TEXTS[7].split(), key=len).strip("?.!,")
    assert "id-7" in ids(store.keyword_search(word, top_k=20))
    assert "id-7" in ids(store.keyword_search(TEXTS[7], top_k=3, filters={"user_id": "ann"}))
    assert "id-7" not in ids(store.keyword_search(word, top_k=20, filters={"user_id": "bob@example.com"}))


def test_list(store):
    (everything,) = store.list(top_k=50)
    assert [m.id for m in everything] == [f"id-{i}" for i in reversed(range(20))]  # the newest first
    (some,) = store.list(filters={"agent_id": "agent-1"}, top_k=3)
    assert [m.id for m in some] == ["id-19", "id-16", "id-13"]
    assert len(store.list()[0]) == 10


def test_change(store):
    store.update("id-3", embed(TEXTS[4]), payload(3) | {"data": "moved", "updated_at": "2026-02-01T00:00:00+00:00"})
    got = store.get("id-3")
    assert got.payload["data"] == "moved" and got.payload["updated_at"].startswith("2026-02-01")
    assert ids(store.search("", embed(TEXTS[4]), top_k=2)) == {"id-3", "id-4"}
    store.update("id-5", None, payload(5) | {"user_id": "carl"})  # the vector stays
    assert [r.id for r in store.search("", embed(TEXTS[5]), filters={"user_id": "carl"})] == ["id-5"]
    store.delete("id-4")
    assert not store.client.exists("mem0:memories:id-4")  # mem0 itself fails to get what is not there
    assert ids(store.search("", embed(TEXTS[4]), top_k=1)) == {"id-3"}
    assert len(store.list(top_k=50)[0]) == 19


def test_collections(store, url):
    assert store.list_cols() == ["memories"]
    other = RedisDB(url, "other", 384)
    other.insert([embed(TEXTS[0])], [payload(0)], ["only"])
    assert sorted(store.list_cols()) == ["memories", "other"]
    assert ids(other.search("", embed(TEXTS[0]))) == {"only"}
    assert int(store.col_info("memories")["num_docs"]) == 20
    store.reset()
    assert store.list(top_k=50) == [[]] and int(store.col_info("memories")["num_docs"]) == 0
    assert store.client.keys("mem0:memories:*") == []
    store.insert([embed(TEXTS[1])], [payload(1)], ["again"])
    assert ids(store.search("", embed(TEXTS[1]))) == {"again"}
    other.delete_col()
    assert store.list_cols() == ["memories"]


class Embeddings(EmbeddingBase):
    """What datasets/ holds; a text that it lacks is as its first one."""

    def embed(self, text, memory_action=None):
        return embed(text if text in rows() else TEXTS[0])


def test_memory(url, monkeypatch):
    monkeypatch.setattr(notices, "_fetch_remote_config", lambda: None)  # from the network
    memory = Memory.from_config({
        "vector_store": {"provider": "redis", "config": {"redis_url": url, "collection_name": "mem0", "embedding_model_dims": 384}},
        "embedder": {"provider": "openai", "config": {"api_key": "none is asked"}},
        "llm": {"provider": "openai", "config": {"api_key": "none is asked"}},
    })
    memory.embedding_model = Embeddings()
    for i, text in enumerate(TEXTS):
        memory.add(text, user_id="ann" if i % 2 else "bob", metadata={"n": i}, infer=False)
    best = memory.search(TEXTS[3], filters={"user_id": "ann"}, top_k=3)["results"]
    assert best[0]["memory"] == TEXTS[3] and best[0]["metadata"]["n"] == 3
    assert len(memory.get_all(filters={"user_id": "bob"}, top_k=50)["results"]) == 10
    memory.update(best[0]["id"], TEXTS[4])
    assert memory.get(best[0]["id"])["memory"] == TEXTS[4]
    memory.delete(best[0]["id"])
    memory.delete_all(user_id="bob")
    assert memory.get_all(filters={"user_id": "bob"})["results"] == []
    assert len(memory.get_all(filters={"user_id": "ann"}, top_k=50)["results"]) == 9
    memory.reset()
    assert memory.get_all(filters={"user_id": "ann"})["results"] == []
