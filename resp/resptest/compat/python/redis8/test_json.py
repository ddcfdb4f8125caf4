"""redis-py's JSON commands, with what redis-py's and RedisJSON's own tests expect of them."""

import pytest
import redis
from redis.commands.json.path import Path


@pytest.fixture(params=[2, 3])
def r(request, address):
    host, port = address
    with redis.Redis(host=host, port=port, protocol=request.param, decode_responses=True) as client:
        client.proto = request.param
        yield client


@pytest.fixture
def text(address):
    """The text that JSON.GET answers, which redis-py would read."""
    host, port = address
    with redis.Redis(host=host, port=port, decode_responses=True) as client:
        yield lambda *args: client.execute_command("JSON.GET", *args)


def test_set_get_delete(r, text):
    j = r.json()
    assert j.set("foo", Path.root_path(), "bar")
    assert j.get("foo") == "bar"
    assert j.get("baz") is None
    assert j.delete("foo") == 1
    assert j.forget("foo") == 0
    assert r.exists("foo") == 0
    assert j.set("doc", "$", {"a": 1, "nested": {"a": 2, "b": 3}})
    assert r.type("doc") == "ReJSON-RL"
    assert j.delete("doc", "$..a") == 2
    assert j.get("doc", "$") == [{"nested": {"b": 3}}]
    assert j.set("doc", "$", {"a": {"a": 2, "b": 3}, "b": ["a", "b"], "nested": {"b": [True, "a", "b"]}})
    assert j.delete("doc", "$..a") == 1
    assert j.get("doc", "$") == [{"nested": {"b": [True, "a", "b"]}, "b": ["a", "b"]}]
    assert text("doc") == '{"nested":{"b":[true,"a","b"]},"b":["a","b"]}'
    assert j.delete("doc", "$.nested") == 1
    assert j.delete("doc", "$.b") == 1
    assert r.exists("doc") == 0  # nothing was left of it
    assert j.delete("doc", "$..a") == 0


def test_only_the_outermost_are_deleted(r):
    j = r.json()
    j.set("d", "$", [[1], [1, 2, 3]])
    assert j.delete("d", "$..[0]") == 2
    assert j.get("d", "$") == [[[2, 3]]]
    j.set("d", "$", {"a": [[1], [1, 2, 3, [4, 5, [{"a": 6}, 7, 8]]], [10, {"11": 11}], ["12", "13"]], "b": [[1, 2], {"a": [3, 4, 5]}]})
    assert j.delete("d", "$..[0]") == 8
    assert j.get("d", "$") == [{"a": [[2, 3, [5, [7, 8]]], [{"11": 11}], ["13"]], "b": [{"a": [4, 5]}]}]
    for path in ("$[*]", "$[2,1,0]", "$[1,2,0]"):
        j.set("d", "$", [1, 2, 3])
        assert j.delete("d", path) == 3
        assert not r.exists("d")


def test_conditions(r):
    j = r.json()
    assert j.set("x", "$", {}, xx=True) is None
    assert j.set("x", "$", {}, nx=True)
    assert j.set("x", "$", {}, nx=True) is None
    assert j.set("x", "$", {}, xx=True)
    assert j.set("x", ".foo", [], xx=True) is None
    assert j.set("x", ".foo", [], nx=True)
    assert j.set("x", ".foo", [], nx=True) is None
    assert j.set("x", ".foo", [1], xx=True)
    assert j.set("x", "$.foo[0]", [0], nx=True) is None
    for path, value in ((".foo[1]", None), ("$..nothing", 1), ("$[0]", 1)):
        with pytest.raises(redis.ResponseError):
            j.set("x", path, value)
    with pytest.raises(redis.ResponseError, match="new objects must be created at the root"):
        j.set("missing", "$.x", 5)
    assert j.set("x", "$.a.b.c", 1) is None
    assert j.get("x") == {"foo": [1]}


def test_paths_of_brackets(r):
    j = r.json()
    assert j.set("x", ".", {})
    assert j.set("x", '.["f1"]', {})
    assert j.set("x", '.["f1"].f2', [0, 0, 0])
    assert j.set("x", '.["f1"].f2[1]', {})
    assert j.set("x", '.["f1"].f2[1]["f.]$.f"]', {})
    assert j.set("x", '.["f1"]["f2"][1]["f.]$.f"]', 1)
    assert j.set("x", '.["f3"].f2', 1) is None
    assert j.get("x") == {"f1": {"f2": [0, {"f.]$.f": 1}, 0]}}


def test_get_several_paths(r):
    j = r.json()
    j.set("doc", "$", {"a": 1, "nested": {"a": 4.2, "b": 3}})
    assert j.get("doc", "$..a", "$.nested.b") == {"$..a": [1, 4.2], "$.nested.b": [3]}
    assert j.get("doc", "..a", "$.none") == {"..a": [1, 4.2], "$.none": []}
    assert j.get("doc", "..a", "..b") == {"..a": 1, "..b": 3}
    with pytest.raises(redis.ResponseError, match="does not exist"):
        j.get("doc", ".a", ".none")
    with pytest.raises(redis.ResponseError, match="does not exist"):
        j.get("doc", ".none")
    assert j.get("none", "..tm", "$..nu") is None


def test_mget_mset_merge(r):
    j = r.json()
    assert j.mset([("1", "$", {"a": 1, "b": 2, "nested1": {"a": 3}}), ("2", "$", {"a": 4, "nested3": {"a": 6}})])
    r.set("wrong", "type")
    assert j.mget(["1", "2", "none", "wrong"], "$..a") == [[1, 3], [4, 6], None, None]
    assert j.mget(["1", "2"], ".nested1.a") == [3, None]
    with pytest.raises(redis.ResponseError):
        j.mset([("1", "$.a", 9), ("new", "$.a", 1)])
    assert j.get("1", "$.a") == [1]
    assert j.mset([("1", "$.a", 9), ("1", "$.b", 8)])
    assert j.merge("1", "$", {"nested1": {"a": None, "c": [1]}, "b": None, "z": {"y": 1}})
    assert j.get("1") == {"a": 9, "nested1": {"c": [1]}, "z": {"y": 1}}
    assert j.merge("1", "$.z.new", {"x": None, "y": 2})
    assert j.get("1", "$.z") == [{"y": 1, "new": {"x": None, "y": 2}}]
    assert j.merge("m", "$", {"a": 1})
    assert j.get("m") == {"a": 1}


def test_numbers(r, text):
    j = r.json()
    j.set("doc", "$", {"a": "b", "b": [{"a": 2}, {"a": 5.0}, {"a": "c"}]})
    assert j.numincrby("doc", "$..a", 2) == [None, 4, 7.0, None]
    assert j.numincrby("doc", "$..a", 2.5) == [None, 6.5, 9.5, None]
    assert j.numincrby("doc", "$.b[1].a", 2) == [11.5]
    assert j.numincrby("doc", "$.b[2].a", 2) == [None]
    assert j.nummultby("doc", "$..a", 2) == [None, 13.0, 23.0, None]
    assert j.get("doc", "$..a") == ["b", 13.0, 23.0, "c"]
    j.set("num", "$", 1)
    legacy = j.numincrby("num", ".", 1)
    assert legacy == ([2] if r.proto == 3 else 2)
    with pytest.raises(redis.ResponseError, match="doesn't exist"):
        j.numincrby("none", "$", 1)
    j.set("big", "$", 1.6350000000001313e308)
    with pytest.raises(redis.ResponseError):
        j.nummultby("big", "$", 2)
    assert text("big") == "1.6350000000001313e308"


def test_strings_and_toggles(r):
    j = r.json()
    j.set("doc", "$", {"a": "foo", "nested1": {"a": "hello"}, "nested2": {"a": 31}})
    assert j.strappend("doc", "bar", "$..a") == [6, 8, None]
    assert j.strlen("doc", "$..a") == [6, 8, None]
    assert j.strappend("doc", "baz", ".nested1.a") == 11
    assert j.strlen("doc", ".nested1.a") == 11
    with pytest.raises(redis.ResponseError, match="expected string"):
        j.strlen("doc", ".nested2.a")
    j.set("t", "$", {"a": ["foo"], "nested1": {"a": False}, "nested2": {"a": 31}, "nested3": {"a": True}})
    assert j.toggle("t", "$..a") == [None, 1, None, 0]
    assert j.toggle("t", ".nested1.a") in ("false", False)
    with pytest.raises(redis.ResponseError, match="not a bool"):
        j.toggle("t", ".a")


def test_arrays(r):
    j = r.json()

    def fresh():
        j.set("doc", "$", {"a": ["foo"], "nested1": {"a": ["hello", None, "world"]}, "nested2": {"a": 31}})

    fresh()
    assert j.arrappend("doc", "$..a", "bar", "racuda") == [3, 5, None]
    assert j.arrlen("doc", "$..a") == [3, 5, None]
    assert j.arrinsert("doc", "$..a", 1, "x") == [4, 6, None]
    assert j.get("doc", "$..a") == [["foo", "x", "bar", "racuda"], ["hello", "x", None, "world", "bar", "racuda"], 31]
    assert j.arrindex("doc", "$..a", "bar") == [2, 4, None]
    assert j.arrpop("doc", "$..a", 1) == ['"x"', '"x"', None]
    assert j.arrtrim("doc", "$..a", 1, 1) == [1, 1, None]
    assert j.get("doc", "$..a") == [["bar"], [None], 31]
    fresh()
    assert j.arrappend("doc", "..a", "bar", "racuda") == 5
    assert j.arrlen("doc", ".nested1.a") == 5
    assert j.arrpop("doc", "..a", 1) in ("null", None)
    assert j.arrlen("none", "..a") is None
    with pytest.raises(redis.ResponseError):
        j.arrlen("none", "$..a")
    with pytest.raises(redis.ResponseError, match="out of bounds"):
        j.arrinsert("doc", ".a", 10, 1)
    j.set("pop", "$", [1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert [j.arrpop("pop"), j.arrpop("pop", ".", -2), j.arrpop("pop", ".", 0), j.arrpop("pop", ".", 99), j.arrpop("pop", ".", -99)] == [9, 7, 1, 8, 2]
    j.set("i", "$", {"arr": [0, 1, 2, 3, 2, 1, 0]})
    for args, want in (((0,), 0), ((3,), 3), ((4,), -1), ((0, 1), 6), ((0, -1), 6), ((0, 4, 0), 6), ((0, 5, -1), -1), ((2, -2, 6), -1)):
        assert j.arrindex("i", ".arr", *args) == want
    for start, stop, want in ((1, -2, [1, 2, 3, 2, 1]), (0, 99, [1, 2, 3, 2, 1]), (0, 2, [1, 2, 3]), (99, 2, [])):
        assert j.arrtrim("i", ".arr", start, stop) == len(want)
        assert j.get("i", ".arr") == want


def test_objects(r):
    j = r.json()
    j.set("doc", "$", {"nested1": {"a": {"foo": 10, "bar": 20}}, "a": ["foo"], "nested2": {"a": {"baz": 50}}})
    assert j.objkeys("doc", "$..a") == [None, ["foo", "bar"], ["baz"]]
    assert j.objkeys("doc", ".*.a") == ["foo", "bar"]
    assert j.objkeys("doc") == ["nested1", "a", "nested2"]
    assert j.objlen("doc", "$..a") == [None, 2, 1]
    assert j.objlen("doc", ".nowhere") is None
    assert j.objlen("doc") == 3
    assert j.objkeys("none", "..a") is None
    with pytest.raises(redis.ResponseError, match="not an object"):
        j.objkeys("doc", ".a")
    wrap = (lambda x: [x]) if r.proto == 3 else (lambda x: x)
    assert r.execute_command("JSON.TYPE", "doc", "$..a") == wrap(["array", "object", "object"])
    assert r.execute_command("JSON.TYPE", "doc", ".a") == wrap("array")
    assert r.execute_command("JSON.TYPE", "none") == wrap(None)
    assert j.clear("doc", "$..a") == 3
    assert j.clear("doc", "$..a") == 0
    assert j.get("doc") == {"nested1": {"a": {}}, "a": [], "nested2": {"a": {}}}


def test_resp_and_debug(r):
    j = r.json()
    j.set("doc", "$", {"L1": {"a": {"A1": 10, "A2": False, "A3": None, "A4": ["x", -19.5, {"E": True}]}}})
    number = -19.5 if r.proto == 3 else "-19.5"
    want = ["{", "A1", 10, "A2", "false", "A3", None, "A4", ["[", "x", number, ["{", "E", "true"]]]
    assert j.resp("doc", "$.L1.a") == [want]
    assert j.resp("doc", ".L1.a") == want
    assert j.resp("doc", "$.nowhere") == []
    assert j.resp("none") is None
    assert j.debug("MEMORY", "doc", "$.L1.a.A1") == [8]
    assert 100 < j.debug("MEMORY", "doc") < 300
    assert 100 < r.memory_usage("doc") < 600
    assert len(j.debug("HELP")) == 2


def test_pipelines_and_transactions(r):
    p = r.pipeline(transaction=True)
    p.json().set("a", "$", {"n": 1})
    p.json().numincrby("a", "$.n", 5)
    p.json().get("a")
    assert p.execute()[2] == {"n": 6}
    with r.pipeline() as p:
        p.watch("a")
        r.json().set("a", "$.n", 7)
        p.multi()
        p.json().get("a")
        with pytest.raises(redis.WatchError):
            p.execute()


def test_a_near_cache_of_documents(address):
    from redis.cache import CacheConfig

    host, port = address
    near = redis.Redis(host=host, port=port, protocol=3, decode_responses=True, cache_config=CacheConfig())
    other = redis.Redis(host=host, port=port, protocol=3)
    other.json().set("doc", "$", {"a": 1})
    assert near.json().get("doc", "$.a") == [1]
    other.json().numincrby("doc", "$.a", 1)
    other.ping()
    near.ping()
    assert near.json().get("doc", "$.a") == [2]


def test_half_precision(r, text):
    for kind in ("FP32", "FP16", "BF16", "FP64"):
        assert r.execute_command("JSON.SET", "v", "$", "[0.3,-0.1,0.7,1,2.5,100.0]", "FPHA", kind) == "OK"
        assert text("v", "$") == "[[0.3,-0.1,0.7,1.0,2.5,100.0]]"
    with pytest.raises(redis.ResponseError, match="value out of range"):
        r.execute_command("JSON.SET", "v", "$", "[0.1,1e100]", "FPHA", "FP16")
    with pytest.raises(redis.ResponseError, match="invalid FPHA type"):
        r.execute_command("JSON.SET", "v", "$", "[0.1]", "FPHA", "FP8")
