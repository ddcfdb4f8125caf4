"""What RedisVL asks by FT.AGGREGATE and FT.HYBRID: hybrid queries, several vectors, the router, the history."""

import pytest
from nearcache_data import banking77, distance, embed
from redisvl.extensions.message_history import SemanticMessageHistory
from redisvl.extensions.router import Route, SemanticRouter
from redisvl.extensions.router.schema import DistanceAggregationMethod
from redisvl.query import AggregateHybridQuery, HybridQuery, MultiVectorQuery, Vector
from redisvl.query.filter import Num
from test_redisvl import index, questions, url, vectorizer  # noqa: F401: fixtures

pytestmark = pytest.mark.filterwarnings("ignore:.*experimental")

ASKED = "card payment"


@pytest.fixture
def query():
    return questions()[7]["text"]


def test_hybrid_by_aggregation(index, query):
    datatype = index.datatype
    got = index.query(
        AggregateHybridQuery(
            ASKED, "text", embed(query), "embedding", alpha=0.6, dtype=datatype, num_results=8,
            return_fields=["text", "intent"], stopwords=None, filter_expression=Num("length") < 90,
        )
    )
    assert 0 < len(got) <= 8
    scores = [float(r["hybrid_score"]) for r in got]
    assert scores == sorted(scores, reverse=True)
    for r in got:
        near = 1 - distance(query, r["text"]) / 2
        assert len(r["text"]) < 90 and r["intent"]
        assert float(r["vector_similarity"]) == pytest.approx(near, abs=1e-3)
        assert float(r["hybrid_score"]) == pytest.approx(0.4 * float(r["text_score"]) + 0.6 * near, abs=1e-3)


@pytest.mark.parametrize("method", [None, "KNN", "RANGE"])
@pytest.mark.parametrize("fusion", [None, "RRF", "LINEAR"])
def test_hybrid(index, query, method, fusion):
    got = index.query(
        HybridQuery(
            ASKED, "text", embed(query), "embedding", yield_text_score_as="words", yield_vsim_score_as="near",
            vector_search_method=method, range_radius=0.6, knn_ef_runtime=400, combination_method=fusion,
            yield_combined_score_as="both" if fusion else None, dtype=index.datatype, num_results=9,
            return_fields=["text", "length"], stopwords=None, filter_expression=Num("length") < 120,
        )
    )
    assert 0 < len(got) <= 9
    assert all(r["text"] and int(r["length"]) < 120 for r in got)
    for r in got:
        assert "words" in r or "near" in r
        if "near" in r:
            assert float(r["near"]) == pytest.approx(1 - distance(query, r["text"]) / 2, abs=1e-3)
        if fusion == "LINEAR":
            both = 0.3 * float(r.get("words", 0)) + 0.7 * float(r.get("near", 0))
            assert float(r["both"]) == pytest.approx(both, abs=1e-6)
    if fusion:
        scores = [float(r["both"]) for r in got]
        assert scores == sorted(scores, reverse=True)
    if fusion == "LINEAR":
        return  # the words' scores may be worth more than nearness
    nearest = min((q["text"] for q in questions() if len(q["text"]) < 120), key=lambda t: distance(query, t))
    assert nearest in [r["text"] for r in got]


def test_several_vectors(index, query):
    other = questions()[60]["text"]
    vectors = [Vector(vector=embed(t), field_name="embedding", dtype=index.datatype, weight=w) for t, w in ((query, 0.7), (other, 0.3))]
    got = index.query(MultiVectorQuery(vectors, return_fields=["text"], num_results=5))
    truth = sorted((-sum(w * (2 - distance(t, q["text"])) / 2 for t, w in ((query, 0.7), (other, 0.3))) for q in questions()))[:5]
    assert [-float(r["combined_score"]) for r in got] == pytest.approx(truth, abs=1e-3)


@pytest.mark.parametrize("method", ["avg", "min", "sum"])
def test_router(url, vectorizer, method):  # noqa: F811
    by_intent = {}
    for q in banking77():
        by_intent.setdefault(q["intent"], []).append(q["text"])
    names = ["card_arrival", "exchange_rate", "lost_or_stolen_card"]
    routes = [Route(name=n, references=by_intent[n][:8], distance_threshold=0.8) for n in names]
    router = SemanticRouter("router", routes, vectorizer=vectorizer, redis_url=url, overwrite=True)
    reckon = {"avg": lambda l: sum(l) / len(l), "min": min, "sum": sum}[method]
    for n in names:
        text = by_intent[n][10]
        got = router.route_many(statement=text, max_k=3, aggregation_method=DistanceAggregationMethod[method])
        want = {}
        for route in routes:
            near = [d for d in (distance(text, r) for r in route.references) if d <= 0.8]
            if near and reckon(near) < 0.8:
                want[route.name] = reckon(near)
        assert [m.name for m in got] == sorted(want, key=want.get)
        assert [m.distance for m in got] == pytest.approx(sorted(want.values()), abs=1e-3)
    router.delete()


def test_history(url, vectorizer):  # noqa: F811
    history = SemanticMessageHistory("history", vectorizer=vectorizer, redis_url=url, overwrite=True, distance_threshold=0.6)
    asked = [questions()[i]["text"] for i in (3, 50, 120)]
    for q in asked:
        history.add_message({"role": "user", "content": q})
    assert [m["content"] for m in history.get_recent(top_k=2)] == asked[1:]
    near = history.get_relevant(asked[1], top_k=2)
    assert asked[1] in [m["content"] for m in near]
    assert history.count() == 3
    history.clear()
    assert history.get_recent() == []
    history.delete()
