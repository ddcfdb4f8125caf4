"""langchain-redis: the caches and the vector store."""

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import Generation
from langchain_redis import RedisCache, RedisChatMessageHistory, RedisConfig, RedisSemanticCache, RedisVectorStore
from nearcache_data import banking77, distance, embed, rows
from redisvl.query.filter import Num, Tag


class MiniLM(Embeddings):
    """Looks the embeddings up instead of computing them."""

    def embed_query(self, text):
        return embed(text) if text in rows() else embed(banking77()[0]["text"])

    def embed_documents(self, texts):
        return [self.embed_query(t) for t in texts]


@pytest.fixture
def url(address):
    host, port = address
    return f"redis://{host}:{port}"


def same_intent(intent):
    texts = [q["text"] for q in banking77() if q["intent"] == intent]
    again = min(texts[1:50], key=lambda t: distance(texts[0], t))
    return texts[0], again, distance(texts[0], again)


def test_semantic_cache(url, wait):
    asked, again, d = same_intent("card_arrival")
    cache = RedisSemanticCache(MiniLM(), redis_url=url, distance_threshold=d + 0.01, name="lc", prefix="lc")
    assert cache.lookup(asked, "model-1") is None
    cache.update(asked, "model-1", [Generation(text="It is on its way.")])
    assert cache.lookup(asked, "model-1")[0].text == "It is on its way."
    assert cache.lookup(again, "model-1")[0].text == "It is on its way."
    assert cache.lookup(again, "model-2") is None
    far = next(q["text"] for q in banking77() if q["intent"] == "exchange_rate")
    assert cache.lookup(far, "model-1") is None
    cache.clear()
    assert cache.lookup(asked, "model-1") is None


def test_semantic_cache_expires(url, wait):
    asked, _, _ = same_intent("card_arrival")
    cache = RedisSemanticCache(MiniLM(), redis_url=url, ttl=1, name="lcttl", prefix="lcttl")
    cache.update(asked, "m", [Generation(text="x")])
    # A look-up renews the TTL, so look from outside.
    wait(lambda: cache.redis.dbsize(), 0)
    assert cache.lookup(asked, "m") is None


@pytest.fixture(params=["FLAT", "HNSW"])
def store(request, url):
    config = RedisConfig(
        index_name="lcvs",
        redis_url=url,
        indexing_algorithm=request.param,
        metadata_schema=[
            {"name": "intent", "type": "tag"},
            {"name": "length", "type": "numeric"},
        ],
    )
    store = RedisVectorStore(MiniLM(), config=config)
    questions = banking77()[::60]
    store.ids = store.add_texts(
        [q["text"] for q in questions],
        [{"intent": q["intent"], "length": len(q["text"])} for q in questions],
    )
    store.questions = questions
    return store


def nearest(store, query, k, keep=lambda q: True):
    return sorted((distance(query, q["text"]), q["text"]) for q in store.questions if keep(q))[:k]


def test_vector_store(store):
    query = banking77()[7]["text"]
    want = nearest(store, query, 5)
    got = store.similarity_search_with_score(query, k=5)
    assert [d.page_content for d, _ in got] == [t for _, t in want]
    for (_, score), (d, _) in zip(got, want):
        assert abs(score - d) < 1e-3
    assert all(d.metadata["intent"] for d, _ in got)
    assert [d.page_content for d in store.similarity_search(query, k=5)] == [t for _, t in want]
    by_vector = store.similarity_search_by_vector(embed(query), k=5)
    assert [d.page_content for d in by_vector] == [t for _, t in want]


def test_vector_store_filters(store):
    query = banking77()[7]["text"]
    got = store.similarity_search(query, k=5, filter=Tag("intent") == "exchange_rate")
    assert [d.page_content for d in got] == [t for _, t in nearest(store, query, 5, lambda q: q["intent"] == "exchange_rate")]
    got = store.similarity_search(query, k=5, filter=(Num("length") < 40) & (Tag("intent") != "card_arrival"))
    assert [d.page_content for d in got] == [
        t for _, t in nearest(store, query, 5, lambda q: len(q["text"]) < 40 and q["intent"] != "card_arrival")
    ]


def test_vector_store_changes(store):
    first = store.questions[0]["text"]
    assert store.similarity_search(first, k=1)[0].page_content == first
    docs = store.get_by_ids([i.split(":")[-1] for i in store.ids[:3]])
    assert [d.page_content for d in docs] == [q["text"] for q in store.questions[:3]]
    store.delete(store.ids[:1])
    assert store.similarity_search(first, k=1)[0].page_content != first
    store.add_documents([Document(page_content=first, metadata={"intent": "x", "length": 1})])
    assert store.similarity_search(first, k=1)[0].metadata["intent"] == "x"
    mmr = store.max_marginal_relevance_search(first, k=3, fetch_k=10)
    assert len(mmr) == 3 and mmr[0].page_content == first


def test_cache_of_exact_prompts(url, wait):
    cache = RedisCache(redis_url=url, prefix="lc")
    assert cache.lookup("prompt", "model") is None
    cache.update("prompt", "model", [Generation(text="answer"), Generation(text="other")])
    assert [g.text for g in cache.lookup("prompt", "model")] == ["answer", "other"]
    assert cache.lookup("prompt", "model 2") is None and cache.lookup("prompt 2", "model") is None
    cache.clear()
    assert cache.lookup("prompt", "model") is None
    short = RedisCache(redis_url=url, prefix="short", ttl=1)
    short.update("prompt", "model", [Generation(text="answer")])
    wait(lambda: short.lookup("prompt", "model"), None)


def test_chat_history(url):
    one = RedisChatMessageHistory("session-1", redis_url=url)
    two = RedisChatMessageHistory("session:2", redis_url=url)
    one.add_user_message("Where is my new card?")
    one.add_ai_message("It is on its way.")
    two.add_messages([HumanMessage("hello"), AIMessage("hi, how can I help you?")])
    assert [(m.type, m.content) for m in one.messages] == [("human", "Where is my new card?"), ("ai", "It is on its way.")]
    assert [m.content for m in two.messages] == ["hello", "hi, how can I help you?"]
    assert len(one) == 2
    assert [m["content"] for m in one.search_messages("card")] == ["Where is my new card?"]
    assert one.search_messages("hello") == []
    one.clear()
    assert one.messages == [] and len(two.messages) == 2
    one.add_user_message("again")
    assert [m.content for m in one.messages] == ["again"]
    two.delete()  # and the index, which is of all sessions
