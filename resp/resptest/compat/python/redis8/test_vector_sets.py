"""Vector sets through redis-py's own methods, with real embeddings, in RESP2 and RESP3."""

import asyncio
import struct

import pytest
import redis
import redis.asyncio
from nearcache_data import banking77, embed
from redis.commands.vectorset.commands import QuantizationOptions

TEXTS = [q["text"] for q in banking77()[::13]][:700]  # more than are kept without a graph


@pytest.fixture(params=[2, 3])
def r(request, address):
    host, port = address
    with redis.Redis(host=host, port=port, protocol=request.param, decode_responses=True) as r:
        yield r


def fp32(v):
    return struct.pack(f"<{len(v)}f", *v)


def fill(r, key, quantization):
    for i, text in enumerate(TEXTS):
        v = [float(x) for x in embed(text)]
        added = r.vset().vadd(
            key, v if i % 2 else fp32(v), f"e{i}", quantization=quantization, attributes={"n": i, "even": i % 2 == 0}
        )
        assert added == 1


@pytest.mark.parametrize("quantization", list(QuantizationOptions))
def test_search(r, quantization):
    fill(r, "v", quantization)
    vs = r.vset()
    assert vs.vcard("v") == len(TEXTS)
    assert vs.vdim("v") == 384
    assert r.type("v") == "vectorset"
    right = 0
    for i in range(0, len(TEXTS), 35):
        v = fp32([float(x) for x in embed(TEXTS[i])])
        got = vs.vsim("v", v, with_scores=True, count=10, ef=200)
        truth = vs.vsim("v", v, with_scores=True, count=10, truth=True)
        assert list(got.values()) == sorted(got.values(), reverse=True)
        assert max(got.values()) > 0.98
        assert f"e{i}" in vs.vsim("v", v, count=10)
        assert f"e{i}" in vs.vsim("v", f"e{i}", count=10)
        right += len(set(got) & set(truth))
    assert right >= 0.9 * 10 * len(range(0, len(TEXTS), 35))
    few = vs.vsim("v", "e0", count=20, filter=".even and .n < 100", filter_ef=5000)
    assert few and all(int(e[1:]) % 2 == 0 and int(e[1:]) < 100 for e in few)
    near = vs.vsim("v", "e0", with_scores=True, count=500, epsilon=0.3)
    assert near and min(near.values()) >= 0.7
    both = vs.vsim("v", "e0", with_scores=True, with_attribs=True, count=3)
    assert set(both["e0"]) == {"score", "attributes"}
    with pytest.raises(redis.ResponseError, match="Vector dimension mismatch - got 2 but set has 384"):
        vs.vsim("v", [1.0, 2.0])


def test_elements(r):
    vs = r.vset()
    assert vs.vadd("v", [3.0, 4.0], "a", quantization=QuantizationOptions.NOQUANT) == 1
    assert vs.vadd("v", [3.0, 5.0], "b", quantization=QuantizationOptions.NOQUANT, cas=True, ef=10) == 1
    assert vs.vemb("v", "a") == [3.0, 4.0]
    raw = vs.vemb("v", "a", raw=True)
    assert raw["quantization"] == "f32" and raw["l2"] == 5
    assert vs.vemb("v", "nosuch") is None
    assert vs.vsetattr("v", "a", {"x": [1, "y"]}) == 1
    assert vs.vgetattr("v", "a") == {"x": [1, "y"]}
    assert vs.vgetattr("v", "b") is None
    assert vs.vsetattr("v", "nosuch", {}) == 0
    assert vs.vinfo("v")["quant-type"] == "f32"
    assert vs.vinfo("v")["size"] == 2
    assert vs.vinfo("nosuch") is None
    assert vs.vlinks("v", "a")[-1] == ["b"]
    assert list(vs.vlinks("v", "a", with_scores=True)[-1]) == ["b"]
    assert vs.vrandmember("v") in ("a", "b")
    assert sorted(vs.vrandmember("v", 5)) == ["a", "b"]
    assert vs.vrange("v", "-", "+") == ["a", "b"]
    assert vs.vrem("v", "a") == 1
    assert vs.vrem("v", "a") == 0
    assert vs.vrem("v", "b") == 1
    assert r.exists("v") == 0


def test_projection(r):
    vs = r.vset()
    for i, text in enumerate(TEXTS[:50]):
        vs.vadd("p", [float(x) for x in embed(text)], f"e{i}", reduce_dim=64)
    assert vs.vdim("p") == 64
    assert vs.vinfo("p")["projection-input-dim"] == 384
    assert vs.vsim("p", [float(x) for x in embed(TEXTS[7])], count=1) == ["e7"]


def test_asyncio(address):
    async def run():
        host, port = address
        async with redis.asyncio.Redis(host=host, port=port, protocol=3, decode_responses=True) as r:
            vs = r.vset()
            await asyncio.gather(*(vs.vadd("v", [float(x) for x in embed(t)], f"e{i}") for i, t in enumerate(TEXTS[:100])))
            found = await asyncio.gather(*(vs.vsim("v", f"e{i}", count=1, with_scores=True) for i in range(100)))
            assert await vs.vcard("v") == 100
            assert all(list(f.values())[0] > 0.99 for f in found)

    asyncio.run(run())
