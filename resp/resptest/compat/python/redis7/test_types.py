"""RedisVL with every type of vectors that it knows."""

import pytest
from nearcache_data import DATATYPES, banking77, between, blob, embed, stored
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.index import SearchIndex
from redisvl.query import RangeQuery, VectorQuery
from redisvl.utils.vectorize import CustomVectorizer

COUNT = 300


@pytest.fixture
def url(address):
    host, port = address
    return f"redis://{host}:{port}"


def texts():
    return [q["text"] for q in banking77()[:: len(banking77()) // COUNT][:COUNT]]


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
def test_index(url, algorithm, datatype):
    attrs = {"algorithm": algorithm, "dims": 384, "distance_metric": "cosine", "datatype": datatype}
    index = SearchIndex.from_dict(
        {"index": {"name": "t", "prefix": "t"}, "fields": [{"name": "v", "type": "vector", "attrs": attrs}]},
        redis_url=url,
    )
    index.create(overwrite=True)
    vectors = {f"t:{i}": stored(embed(t), datatype) for i, t in enumerate(texts())}
    index.load([{"id": key[2:], "v": blob(v, datatype)} for key, v in vectors.items()], id_field="id")
    assert SearchIndex.from_existing("t", redis_url=url).schema.fields["v"].attrs.datatype.lower() == datatype

    wide = {"ef_runtime": COUNT} if algorithm == "hnsw" else {}
    for text in texts()[::60]:
        q = stored(embed(text), datatype)
        truth = sorted((between("cosine", q, v), key) for key, v in vectors.items())
        got = index.query(VectorQuery(q.tolist(), "v", dtype=datatype, num_results=10, **wide))
        assert [g["id"] for g in got][0] == truth[0][1]
        for g, (d, _) in zip(got, truth, strict=False):
            assert abs(float(g["vector_distance"]) - d) < 1e-5
        near = [d for d, _ in truth if d <= 0.5]
        got = index.query(RangeQuery(q.tolist(), "v", dtype=datatype, distance_threshold=0.5, num_results=COUNT))
        assert [float(g["vector_distance"]) for g in got] == pytest.approx(near, abs=1e-5)


@pytest.mark.parametrize("datatype", ["float64", "float16", "bfloat16"])
def test_semantic_cache(url, datatype):
    known = texts()
    cache = SemanticCache(
        name="types", redis_url=url, distance_threshold=0.02, overwrite=True,
        vectorizer=CustomVectorizer(embed=lambda t: embed(t if t in known else known[0]), dtype=datatype),
    )
    for text in known[:40]:
        cache.store(prompt=text, response=text.upper())
    for text in known[:40]:
        (hit,) = cache.check(prompt=text)
        assert hit["response"] == text.upper() and float(hit["vector_distance"]) < 1e-6
    assert cache.check(prompt=known[-1]) == []
    cache.delete()
