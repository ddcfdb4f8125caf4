"""Aggregations and hybrid queries of redis-py, on the questions of bank customers."""

import collections
import statistics

import pytest
import redis
from nearcache_data import banking77, blob, distance, embed
from redis.commands.search import reducers
from redis.commands.search.aggregation import AggregateRequest, Asc, Cursor, Desc
from redis.commands.search.field import NumericField, TagField, TextField, VectorField
from redis.commands.search.hybrid_query import (
    CombinationMethods,
    CombineResultsMethod,
    HybridCursorQuery,
    HybridFilter,
    HybridPostProcessingConfig,
    HybridQuery,
    HybridSearchQuery,
    HybridVsimQuery,
    VectorSearchMethods,
)
from redis.commands.search.index_definition import IndexDefinition, IndexType
from redis.commands.search.query import SortbyField

# The hybrid classes say that they are new.
pytestmark = pytest.mark.filterwarnings("ignore:.*experimental")

COUNT = 300


def questions():
    return banking77()[:: len(banking77()) // COUNT][:COUNT]


@pytest.fixture(params=[2, 3])
def ft(request, address):
    host, port = address
    with redis.Redis(host=host, port=port, protocol=request.param, legacy_responses=False) as r:
        ft = r.ft("idx")
        ft.create_index(
            [
                TextField("text"),
                TagField("intent"),
                NumericField("length"),
                VectorField("v", "FLAT", {"TYPE": "FLOAT32", "DIM": 384, "DISTANCE_METRIC": "COSINE"}),
            ],
            definition=IndexDefinition(prefix=["q:"], index_type=IndexType.HASH),
        )
        with r.pipeline(transaction=False) as p:
            for i, q in enumerate(questions()):
                p.hset(f"q:{i}", mapping={"text": q["text"], "intent": q["intent"], "length": len(q["text"]), "v": vector(q["text"])})
            p.execute()
        yield ft


def vector(text):
    return blob(embed(text), "float32")


def text(x):
    return x.decode() if isinstance(x, bytes) else x


def rows(result):
    """The rows as dictionaries."""
    flat = [[text(x) if not isinstance(x, list) else [text(y) for y in x] for x in row] for row in result.rows]
    return [dict(zip(row[::2], row[1::2])) for row in flat]


def test_groups(ft):
    request = (
        AggregateRequest("*")
        .load("@length")
        .group_by(
            "@intent",
            reducers.count().alias("n"),
            reducers.avg("@length").alias("mean"),
            reducers.min("@length").alias("least"),
            reducers.quantile("@length", 0.5).alias("median"),
            reducers.stddev("@length").alias("spread"),
            reducers.tolist("@length").alias("all"),
        )
        .apply(span="@mean - @least")
        .sort_by(Desc("@n"), Asc("@intent"), max=1000)
    )
    got = rows(ft.aggregate(request))
    want = collections.defaultdict(list)
    for q in questions():
        want[q["intent"]].append(len(q["text"]))
    assert [(r["intent"], int(r["n"])) for r in got] == sorted(((k, len(v)) for k, v in want.items()), key=lambda x: (-x[1], x[0]))
    for r in got:
        lengths = want[r["intent"]]
        assert float(r["mean"]) == pytest.approx(statistics.mean(lengths))
        assert float(r["least"]) == min(lengths)
        assert min(lengths) <= float(r["median"]) <= max(lengths)
        assert float(r["spread"]) == pytest.approx(statistics.stdev(lengths) if len(lengths) > 1 else 0)
        assert {float(x) for x in r["all"]} == set(map(float, lengths))
        assert float(r["span"]) == pytest.approx(statistics.mean(lengths) - min(lengths))


def test_filter_and_limit(ft):
    request = AggregateRequest("*").load("@length", "@__key").filter("@length > 80").sort_by(Desc("@length"), Asc("@__key")).limit(1, 5)
    want = sorted(((-len(q["text"]), f"q:{i}") for i, q in enumerate(questions()) if len(q["text"]) > 80))[1:6]
    assert [(-int(r["length"]), r["__key"]) for r in rows(ft.aggregate(request))] == want


def test_cursor(ft):
    request = AggregateRequest("*").load("@__key").cursor(count=70, max_idle=10)
    result = ft.aggregate(request)
    keys = []
    while True:
        keys += [r["__key"] for r in rows(result)]
        if result.cursor.cid == 0:
            break
        result = ft.aggregate(result.cursor)
    assert sorted(keys) == sorted(f"q:{i}" for i in range(COUNT))


def test_nearest(ft):
    query = questions()[7]["text"]
    request = AggregateRequest("*=>[KNN 20 @v $b AS d]").load("@intent").group_by("@intent", reducers.min("@d").alias("d")).sort_by(Asc("@d")).dialect(2)
    got = rows(ft.aggregate(request, {"b": vector(query)}))
    near = sorted((distance(query, q["text"]), q["intent"]) for q in questions())[:20]
    assert got[0]["intent"] == questions()[7]["intent"]
    assert float(got[0]["d"]) == pytest.approx(near[0][0], abs=1e-3)
    assert {r["intent"] for r in got} <= {intent for _, intent in near}


def nearest(query, k):
    return [f"q:{i}" for _, i in sorted((distance(query, q["text"]), i) for i, q in enumerate(questions()))[:k]]


def test_hybrid(ft):
    query = questions()[7]["text"]
    q = HybridQuery(
        HybridSearchQuery("@text:card", scorer="BM25STD", yield_score_as="text_score"),
        HybridVsimQuery(
            "@v",
            "$b",
            vsim_search_method=VectorSearchMethods.KNN,
            vsim_search_method_params={"K": 10, "EF_RUNTIME": 100},
            yield_score_as="near_score",
        ),
    )
    post = HybridPostProcessingConfig()
    post.load("@__key", "@intent", "@length", "@__score")
    post.limit(0, 50)
    got = ft.hybrid_search(
        query=q,
        combine_method=CombineResultsMethod(CombinationMethods.RRF, WINDOW=10, CONSTANT=60),
        post_processing=post,
        params_substitution={"b": vector(query)},
        timeout=10000,
    )
    found = {text(r["__key"]): r for r in got.results}
    near = nearest(query, 10)
    assert got.warnings == [] and got.execution_time >= 0
    assert got.total_results == len(found) and set(near) <= set(found)
    scores = [float(r["__score"]) for r in got.results]
    assert scores == sorted(scores, reverse=True)
    for rank, key in enumerate(near, 1):
        r = found[key]
        assert float(r["near_score"]) == pytest.approx(1 - distance(query, questions()[int(key[2:])]["text"]) / 2, abs=1e-3)
        if "text_score" not in r and rank > 1:
            assert float(r["__score"]) <= 1 / 61
    assert all("card" in questions()[int(k[2:])]["text"].lower() for k, r in found.items() if "text_score" in r)


def test_hybrid_with_steps(ft):
    query = questions()[7]["text"]
    q = HybridQuery(
        HybridSearchQuery("@text:card"),
        HybridVsimQuery("@v", "$b", filter=HybridFilter("@length:[0 60]")).vsim_method_params(VectorSearchMethods.RANGE, RADIUS=2),
    )
    post = HybridPostProcessingConfig()
    post.load("@length", "@intent")
    post.apply(half="@length / 2")
    post.sort_by(SortbyField("@half", asc=True))
    post.filter(HybridFilter("@length > 20"))
    post.limit(0, 7)
    got = ft.hybrid_search(
        query=q,
        combine_method=CombineResultsMethod(CombinationMethods.LINEAR, ALPHA=0.4, BETA=0.6),
        post_processing=post,
        params_substitution={"b": vector(query)},
    )
    halves = [float(r["half"]) for r in got.results]
    assert 0 < len(halves) <= 7 and halves == sorted(halves)
    assert all(float(r["length"]) > 20 and float(r["half"]) == float(r["length"]) / 2 for r in got.results)

    post = HybridPostProcessingConfig()
    post.load("@intent")
    post.group_by(["@intent"], reducers.count().alias("n"))
    got = ft.hybrid_search(query=q, post_processing=post, params_substitution={"b": vector(query)})
    assert got.total_results >= len(got.results) > 0 and all(int(r["n"]) >= 1 for r in got.results)


def test_hybrid_cursors(ft):
    query = questions()[7]["text"]
    q = HybridQuery(HybridSearchQuery("@text:card"), HybridVsimQuery("@v", "$b"))
    got = ft.hybrid_search(query=q, params_substitution={"b": vector(query)}, cursor=HybridCursorQuery(count=5, max_idle=10000))
    near = rows(ft.aggregate(Cursor(got.vsim_cursor_id)))
    assert [r["__key"] for r in near] == nearest(query, 5)
    words = rows(ft.aggregate(Cursor(got.search_cursor_id)))
    assert len(words) == 5 and all("card" in questions()[int(r["__key"][2:])]["text"].lower() for r in words)
    for i in got.vsim_cursor_id, got.search_cursor_id:
        assert ft.client.execute_command("FT.CURSOR", "DEL", "idx", i) in (True, b"OK")
