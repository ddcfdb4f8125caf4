"""Vector fields of every type by raw commands, in RESP2 and RESP3."""

import pytest
import redis
from nearcache_data import DATATYPES, banking77, between, blob, embed, stored

COUNT = 300


@pytest.fixture(params=[2, 3])
def r(request, address):
    host, port = address
    with redis.Redis(host=host, port=port, protocol=request.param) as r:
        r.version = request.param
        yield r


def texts():
    return [q["text"] for q in banking77()[:: len(banking77()) // COUNT][:COUNT]]


def create(r, algorithm, datatype, metric, *more):
    params = ["TYPE", datatype.upper(), "DIM", 384, "DISTANCE_METRIC", metric.upper(), *more]
    r.execute_command("FT.CREATE", "idx", "PREFIX", 1, "d:", "SCHEMA", "v", "VECTOR", algorithm, len(params), *params)


def fill(r, datatype):
    vectors = {f"d:{i}".encode(): stored(embed(t), datatype) for i, t in enumerate(texts())}
    with r.pipeline(transaction=False) as p:
        for key, v in vectors.items():
            p.hset(key, "v", blob(v, datatype))
        p.execute()
    return vectors


def found(r, *args):
    """Keys and distances of a search, whatever the protocol."""
    reply = r.execute_command("FT.SEARCH", "idx", *args)
    if r.version == 2:
        return [(key, float(fields[1])) for key, fields in zip(reply[1::2], reply[2::2])]
    return [(d[b"id"], float(d[b"extra_attributes"][b"dist"])) for d in reply[b"results"]]


def same(got, want, tolerance):
    assert len(got) == len(want)
    for (_, g), (_, w) in zip(got, want):
        assert abs(g - w) <= tolerance * (1 + abs(w))
    # Of equals at the end any may be returned.
    last = want[-1][1] - tolerance * (1 + abs(want[-1][1]))
    assert {k for k, d in want if d < last} <= {k for k, _ in got}


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("algorithm", ["FLAT", "HNSW"])
def test_every_type(r, algorithm, datatype, metric):
    create(r, algorithm, datatype, metric)
    vectors = fill(r, datatype)
    tolerance = 1e-9 if datatype in ("float64", "int8", "uint8") else 1e-5
    for text in texts()[::60]:
        q = stored(embed(text), datatype)
        truth = sorted(((k, between(metric, q, v)) for k, v in vectors.items()), key=lambda x: x[1])
        tail = ["PARAMS", 2, "q", blob(q, datatype), "RETURN", 1, "dist", "SORTBY", "dist", "LIMIT", 0, COUNT, "DIALECT", 2]
        ef = " EF_RUNTIME 300" if algorithm == "HNSW" else ""
        same(found(r, f"*=>[KNN 10 @v $q{ef} AS dist]", *tail), truth[:10], tolerance)
        if metric != "ip":
            # Identical, so nothing but rounding lies between.
            nearest = found(r, "*=>[KNN 1 @v $q AS dist]", *tail)
            assert nearest[0][1] <= 1e-6
        radius = (truth[19][1] + truth[20][1]) / 2
        if radius > 0:
            near = [t for t in truth if t[1] <= radius]
            # A graph is explored this far beyond the radius: by default a hundredth, which may miss some.
            epsilon = "; $EPSILON: 1" if algorithm == "HNSW" else ""
            same(found(r, f"@v:[VECTOR_RANGE {radius:.12f} $q]=>{{$YIELD_DISTANCE_AS: dist{epsilon}}}", *tail), near, tolerance)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_info_and_mistakes(r, datatype):
    create(r, "HNSW", datatype, "cosine")
    info = r.execute_command("FT.INFO", "idx")
    if r.version == 2:
        info = dict(zip(info[::2], info[1::2]))
    (attribute,) = info[b"attributes"]
    if r.version == 2:
        attribute = dict(zip(attribute[::2], attribute[1::2]))
    assert attribute[b"data_type"].decode() == datatype.upper()
    assert b"compression" not in attribute
    size = len(blob(stored(embed(texts()[0]), datatype), datatype))
    with pytest.raises(redis.ResponseError, match=rf"blob size \({size + 1}\) does not match index's expected size \({size}\)"):
        r.execute_command("FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", 2, "q", b"x" * (size + 1), "DIALECT", 2)
    if datatype.endswith(("float32", "float64", "float16")):
        with pytest.raises(redis.ResponseError, match="NaN or infinity"):
            r.execute_command("FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", 2, "q", b"\xff" * size, "DIALECT", 2)


@pytest.mark.parametrize("compression", ["NONE", "SQ8", "SQ8ONLY", "BINARY"])
@pytest.mark.parametrize("datatype", ["float32", "float16"])
def test_compression(r, compression, datatype):
    create(r, "HNSW", datatype, "cosine", "COMPRESSION", compression)
    vectors = fill(r, datatype)
    tolerance = 0.02 if compression == "SQ8ONLY" else 1e-5
    for text in texts()[::30]:
        q = stored(embed(text), datatype)
        truth = sorted(((k, between("cosine", q, v)) for k, v in vectors.items()), key=lambda x: x[1])
        tail = ["PARAMS", 2, "q", blob(q, datatype), "RETURN", 1, "dist", "SORTBY", "dist", "DIALECT", 2]
        same(found(r, "*=>[KNN 10 @v $q EF_RUNTIME 100 AS dist]", *tail), truth[:10], tolerance)


def test_bytes_are_not_compressed(r):
    for datatype in ("int8", "uint8"):
        create(r, "HNSW", datatype, "l2", "COMPRESSION", "NONE")
        r.ft("idx").dropindex()
        with pytest.raises(redis.ResponseError, match=f"COMPRESSION SQ8 is not supported for {datatype.upper()}"):
            create(r, "HNSW", datatype, "l2", "COMPRESSION", "SQ8")
