"""RedisVL on the questions of bank customers, with their MiniLM embeddings."""

import nearcache_data
import numpy
import pytest
import redis
from nearcache_data import banking77, distance, embed
from redisvl.exceptions import RedisVLError
from redisvl.extensions.cache.embeddings import EmbeddingsCache
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.extensions.message_history import MessageHistory, SemanticMessageHistory
from redisvl.extensions.router import Route, SemanticRouter
from redisvl.index import AsyncSearchIndex, SearchIndex
from redisvl.query import CountQuery, FilterQuery, RangeQuery, VectorQuery
from redisvl.query.filter import Num, Tag, Text
from redisvl.utils.vectorize import CustomVectorizer

COUNT = 400


@pytest.fixture
def url(address):
    host, port = address
    return f"redis://{host}:{port}"


@pytest.fixture
def client(url):
    with redis.Redis.from_url(url) as r:
        yield r


@pytest.fixture
def vectorizer():
    # The constructor asks for the embedding of a text of its own to learn the
    # number of dimensions.
    def anything(text):
        return embed(text) if text in nearcache_data.rows() else embed(banking77()[0]["text"])

    return CustomVectorizer(embed=anything)


def schema(algorithm, datatype="float32", metric="cosine", storage="hash"):
    return {
        "index": {"name": "questions", "prefix": "q", "storage_type": storage},
        "fields": [
            {"name": "intent", "type": "tag"},
            {"name": "text", "type": "text"},
            {"name": "length", "type": "numeric", "attrs": {"sortable": True}},
            {
                "name": "embedding",
                "type": "vector",
                "attrs": {"algorithm": algorithm, "dims": 384, "distance_metric": metric, "datatype": datatype},
            },
        ],
    }


def questions():
    # Every thirtieth: the file is ordered by intent.
    return banking77()[:: len(banking77()) // COUNT][:COUNT]


def documents(datatype="float32", storage="hash"):
    return [
        {
            "id": str(i),
            "intent": q["intent"],
            "text": q["text"],
            "length": len(q["text"]),
            "embedding": embed(q["text"]) if storage == "json" else numpy.asarray(embed(q["text"]), datatype).tobytes(),
        }
        for i, q in enumerate(questions())
    ]


@pytest.fixture(
    params=[("flat", "float32", "hash"), ("hnsw", "float32", "hash"), ("flat", "float64", "hash"), ("hnsw", "float32", "json")],
    ids="-".join,
)
def index(request, url):
    algorithm, datatype, storage = request.param
    index = SearchIndex.from_dict(schema(algorithm, datatype, storage=storage), redis_url=url)
    index.create(overwrite=True)
    index.load(documents(datatype, storage), id_field="id")
    index.datatype, index.storage = datatype, storage
    return index


def nearest(query, k, keep=lambda q: True):
    """The truth: ids and distances of the k nearest questions."""
    found = [(distance(query, q["text"]), f"q:{i}") for i, q in enumerate(questions()) if keep(q)]
    return sorted(found)[:k]


def ask(index, text, k=10, **kwargs):
    """A KNN query that HNSW, too, answers exactly: with a wide search."""
    if index.schema.fields["embedding"].attrs.algorithm.lower() == "hnsw":
        kwargs["ef_runtime"] = COUNT
    datatype = index.schema.fields["embedding"].attrs.datatype.lower()
    return VectorQuery(embed(text), "embedding", ["text", "intent"], dtype=datatype, num_results=k, **kwargs)


def same(got, want, tolerance=1e-3):
    """Same distances in order; ids may change places only among equals."""
    assert len(got) == len(want)
    for g, (d, key) in zip(got, want):
        assert abs(float(g["vector_distance"]) - d) < tolerance, (g, d, key)
    assert {g["id"] for g in got} == {key for _, key in want} or abs(want[-1][0] - want[-2][0]) < tolerance


def test_nearest(index):
    for question in banking77()[5::997][:10]:
        got = index.query(ask(index, question["text"]))
        same(got, nearest(question["text"], 10))
        assert all(g["text"] and g["intent"] for g in got)


def test_nearest_with_filters(index):
    question = banking77()[5]["text"]
    filters = [
        (Tag("intent") == "card_arrival", lambda q: q["intent"] == "card_arrival"),
        (Tag("intent") != "card_arrival", lambda q: q["intent"] != "card_arrival"),
        (Tag("intent") == ["card_arrival", "lost_or_stolen_card"], lambda q: q["intent"] in ("card_arrival", "lost_or_stolen_card")),
        (Num("length") < 40, lambda q: len(q["text"]) < 40),
        ((Num("length") >= 40) & (Num("length") <= 60), lambda q: 40 <= len(q["text"]) <= 60),
        ((Tag("intent") == "card_arrival") | (Num("length") < 30), lambda q: q["intent"] == "card_arrival" or len(q["text"]) < 30),
    ]
    for expression, keep in filters:
        same(index.query(ask(index, question, 5, filter_expression=expression)), nearest(question, 5, keep))


def test_range(index):
    question = banking77()[5]["text"]
    want = [x for x in nearest(question, COUNT) if x[0] <= 0.5]
    assert len(want) > 2
    query = RangeQuery(
        embed(question), "embedding", ["text"], distance_threshold=0.5, num_results=COUNT, dtype=index.datatype
    )
    same(index.query(query), want)


def test_filters_alone(index):
    for expression, keep in [
        (Tag("intent") == "card_arrival", lambda q: q["intent"] == "card_arrival"),
        (Num("length") == len(questions()[0]["text"]), lambda q: len(q["text"]) == len(questions()[0]["text"])),
        (Text("text") % "card", lambda q: "card" in words(q)),
        (Text("text") == "top up", lambda q: " top up " in f" {' '.join(words(q))} "),
    ]:
        want = {f"q:{i}" for i, q in enumerate(questions()) if keep(q)}
        got = {r["id"] for r in index.query(FilterQuery(expression, ["text"], num_results=COUNT))}
        # Stemming finds more: cards for card.
        assert want <= got, expression
        assert len(got - want) <= len(questions()) // 10 or "text" in str(expression)
        assert index.query(CountQuery(expression)) == len(got)


def words(q):
    return "".join(c.lower() if c.isalnum() else " " for c in q["text"]).split()


def test_sorted_and_paged(index):
    lengths = sorted(len(q["text"]) for q in questions())
    query = FilterQuery(return_fields=["length"], num_results=20).sort_by("length", asc=True)
    assert [int(r["length"]) for r in index.query(query)] == lengths[:20]
    query = FilterQuery(return_fields=["length"], num_results=20).sort_by("length", asc=False)
    assert [int(r["length"]) for r in index.query(query)] == lengths[::-1][:20]
    pages = list(index.paginate(FilterQuery(return_fields=["length"]), page_size=150))
    assert sorted(len(p) for p in pages) == [100, 150, 150]
    assert len({r["id"] for p in pages for r in p}) == COUNT


def test_info(index):
    info = index.info()
    assert info["index_name"] == "questions"
    assert int(info["num_docs"]) == COUNT
    assert float(info["percent_indexed"]) == 1
    again = SearchIndex.from_existing("questions", redis_client=index._redis_client)
    assert again.schema.fields.keys() == index.schema.fields.keys()
    assert again.schema.fields["embedding"].attrs.dims == 384
    assert again.schema.fields["embedding"].attrs.algorithm == index.schema.fields["embedding"].attrs.algorithm
    assert again.schema.fields["embedding"].attrs.datatype == index.schema.fields["embedding"].attrs.datatype
    assert "questions" in index.listall() and index.exists()


def test_documents_come_and_go(index, client):
    first = questions()[0]["text"]
    query = ask(index, first, 1)
    assert index.query(query)[0]["id"] == "q:0"
    assert index.fetch("0")["text"] == first
    assert index.drop_keys(["q:0"]) == 1
    assert index.query(query)[0]["id"] != "q:0"
    index.load([documents(index.datatype, index.storage)[0]], id_field="id")
    assert index.query(query)[0]["id"] == "q:0"
    client.delete("q:0")
    assert index.query(query)[0]["id"] != "q:0"
    assert index.query(CountQuery()) == COUNT - 1
    assert index.clear() == COUNT - 1
    assert index.query(CountQuery()) == 0
    index.delete(drop=True)
    assert not index.exists()


def test_expired_documents_are_not_found(index, wait):
    index.expire_keys("q:0", 1)
    wait(lambda: index.query(CountQuery()), COUNT - 1)


def test_existing_keys_are_indexed(url, client, wait):
    with client.pipeline(transaction=False) as p:
        for d in documents():
            p.hset(f"q:{d['id']}", mapping={k: v for k, v in d.items() if k != "id"})
        p.execute()
    index = SearchIndex.from_dict(schema("hnsw"), redis_url=url)
    index.create()
    wait(lambda: index.query(CountQuery()), COUNT)
    question = banking77()[5]["text"]
    same(index.query(ask(index, question)), nearest(question, 10))


def test_create_twice_and_missing(url):
    index = SearchIndex.from_dict(schema("flat"), redis_url=url)
    assert not index.exists()
    index.create()
    index.create()
    index.create(overwrite=True, drop=True)
    missing = SearchIndex.from_dict({**schema("flat"), "index": {"name": "missing", "prefix": "m"}}, redis_url=url)
    with pytest.raises(RedisVLError):
        missing.query(CountQuery())


def test_other_metrics(url):
    question = banking77()[5]["text"]
    keys = [key for _, key in nearest(question, 5)]
    for metric in ("l2", "ip"):
        index = SearchIndex.from_dict(schema("hnsw", metric=metric), redis_url=url)
        index.create(overwrite=True, drop=True)
        index.load(documents(), id_field="id")
        got = index.query(ask(index, question, 5))
        assert [g["id"] for g in got] == keys, metric


def test_asyncio(url):
    import asyncio

    async def main():
        index = AsyncSearchIndex.from_dict(schema("hnsw"), redis_url=url)
        await index.create(overwrite=True)
        await index.load(documents(), id_field="id")
        question = banking77()[5]["text"]
        queries = [ask(index, question) for _ in range(20)]
        for got in await asyncio.gather(*(index.query(q) for q in queries)):
            same(got, nearest(question, 10))
        await index.delete(drop=True)
        await index.disconnect()

    asyncio.run(main())


# ---- the semantic cache


@pytest.fixture
def pair():
    """Two ways to ask the same, and their distance."""
    by_intent = {}
    for q in banking77():
        by_intent.setdefault(q["intent"], []).append(q["text"])
    asked = by_intent["card_arrival"][0]
    again = min(by_intent["card_arrival"][1:50], key=lambda t: distance(asked, t))
    return asked, again, distance(asked, again)


def test_semantic_cache(url, vectorizer, pair, wait):
    asked, again, d = pair
    cache = SemanticCache(
        name="llmcache", redis_url=url, vectorizer=vectorizer, distance_threshold=d + 0.01,
        filterable_fields=[{"name": "user", "type": "tag"}],
    )
    assert cache.check(prompt=asked) == []
    key = cache.store(prompt=asked, response="It is on its way.", filters={"user": "u1"}, metadata={"model": "m"})
    assert key.startswith("llmcache:")
    (hit,) = cache.check(prompt=asked)
    assert hit["response"] == "It is on its way." and hit["prompt"] == asked and hit["metadata"] == {"model": "m"}
    assert abs(float(hit["vector_distance"])) < 1e-3
    (hit,) = cache.check(prompt=again)
    assert abs(float(hit["vector_distance"]) - d) < 1e-3
    far = next(q["text"] for q in banking77() if q["intent"] == "exchange_rate")
    assert cache.check(prompt=far) == []
    assert cache.check(prompt=again, distance_threshold=d - 0.01) == []
    assert cache.check(prompt=asked, filter_expression=Tag("user") == "u1")
    assert cache.check(prompt=asked, filter_expression=Tag("user") == "u2") == []

    cache.update(key, response="It has arrived.")
    assert cache.check(prompt=asked)[0]["response"] == "It has arrived."
    cache.drop(keys=[key])
    assert cache.check(prompt=asked) == []

    cache.store(prompt=asked, response="1", ttl=1)
    assert cache.check(prompt=asked)
    cache.set_ttl(1)
    wait(lambda: cache._index.query(CountQuery()), 0)
    assert cache.check(prompt=asked) == []

    cache.set_ttl(None)
    for q in questions()[:50]:
        cache.store(prompt=q["text"], response=q["intent"])
    for q in questions()[:50]:
        assert cache.check(prompt=q["text"])[0]["response"] == q["intent"]
    cache.clear()
    assert cache.check(prompt=asked) == []
    cache.delete()


def test_semantic_cache_is_opened_again(url, vectorizer, pair):
    asked, _, _ = pair
    SemanticCache(name="llmcache", redis_url=url, vectorizer=vectorizer).store(asked, "r")
    again = SemanticCache(name="llmcache", redis_url=url, vectorizer=vectorizer)
    assert again.check(asked)[0]["response"] == "r"
    with pytest.raises(ValueError, match="schema does not match"):
        SemanticCache(
            name="llmcache", redis_url=url, vectorizer=vectorizer, filterable_fields=[{"name": "x", "type": "tag"}]
        )
    SemanticCache(
        name="llmcache", redis_url=url, vectorizer=vectorizer, overwrite=True,
        filterable_fields=[{"name": "x", "type": "tag"}],
    )


def test_semantic_cache_asyncio(url, vectorizer, pair):
    import asyncio

    asked, again, d = pair

    async def main():
        cache = SemanticCache(name="llmcache", redis_url=url, vectorizer=vectorizer, distance_threshold=d + 0.01)
        await cache.astore(prompt=asked, response="r")
        (hit,) = await cache.acheck(vector=embed(again))
        assert hit["response"] == "r"
        await cache.aclear()
        assert await cache.acheck(vector=embed(again)) == []
        await cache.adisconnect()

    asyncio.run(main())


def test_embeddings_cache(url, vectorizer, wait):
    cache = EmbeddingsCache(name="embedcache", redis_url=url, ttl=100)
    text = banking77()[0]["text"]
    assert cache.get(content=text, model_name="minilm") is None
    key = cache.set(content=text, model_name="minilm", embedding=embed(text), metadata={"a": 1})
    got = cache.get(content=text, model_name="minilm")
    assert got["content"] == text and got["metadata"] == {"a": 1}
    assert numpy.allclose(got["embedding"], embed(text))
    assert cache.exists(content=text, model_name="minilm") and cache.exists_by_key(key)
    texts = [q["text"] for q in questions()[:20]]
    cache.mset([{"content": t, "model_name": "minilm", "embedding": embed(t)} for t in texts])
    assert all(cache.mexists(texts, "minilm"))
    assert [g["content"] for g in cache.mget(texts, "minilm")] == texts
    cache.mdrop(texts, "minilm")
    assert not any(cache.mexists(texts, "minilm"))
    cache.set(content=text, model_name="minilm", embedding=embed(text), ttl=1)
    wait(lambda: cache.exists(content=text, model_name="minilm"), False)

    calls = []

    def counted(t):
        calls.append(t)
        return embed(t) if t in nearcache_data.rows() else embed(text)

    through = CustomVectorizer(embed=counted, cache=cache)
    calls.clear()
    assert numpy.allclose(through.embed(texts[0]), through.embed(texts[0]))
    assert calls == [texts[0]]


# ---- conversations


def test_message_history(url):
    history = MessageHistory(name="chat", redis_url=url)
    history.add_messages(
        [{"role": "user", "content": "Where is my card?"}, {"role": "llm", "content": "On its way."}], session_tag="a"
    )
    history.store("hello", "hi", session_tag="b")
    assert [m["content"] for m in history.get_recent(top_k=5, session_tag="a")] == ["Where is my card?", "On its way."]
    assert [m["content"] for m in history.get_recent(top_k=1, session_tag="a")] == ["On its way."]
    assert [m["role"] for m in history.get_recent(top_k=5, session_tag="b")] == ["user", "llm"]
    history.clear()
    assert history.get_recent(session_tag="a") == []
    history.delete()


def test_semantic_message_history(url, vectorizer, pair):
    asked, again, d = pair
    far = next(q["text"] for q in banking77() if q["intent"] == "exchange_rate")
    history = SemanticMessageHistory(name="chat", redis_url=url, vectorizer=vectorizer, distance_threshold=d + 0.01)
    history.add_messages([{"role": "user", "content": asked}, {"role": "user", "content": far}])
    assert [m["content"] for m in history.get_relevant(again)] == [asked]
    assert len(history.get_recent(top_k=5)) == 2
    history.delete()


def test_semantic_router(url, vectorizer):
    by_intent = {}
    for q in banking77():
        by_intent.setdefault(q["intent"], []).append(q["text"])
    routes = [
        Route(name=intent, references=by_intent[intent][:10], distance_threshold=1.0)
        for intent in ("card_arrival", "exchange_rate", "lost_or_stolen_card")
    ]
    router = SemanticRouter(name="router", redis_url=url, vectorizer=vectorizer, routes=routes, overwrite=True)
    for r in routes:
        found = [router(t).name for t in by_intent[r.name][10:30]]
        assert found.count(r.name) >= 15, (r.name, found)
    best = router.route_many(by_intent["card_arrival"][0], max_k=3)
    assert best[0].name == "card_arrival" and best[0].distance < best[-1].distance
    router.remove_route("exchange_rate")
    assert router.get("exchange_rate") is None
    router.clear()
    router.delete()
