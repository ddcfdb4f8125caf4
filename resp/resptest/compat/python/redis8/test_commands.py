"""redis-py as applications use it, in RESP2 and RESP3, with and without asyncio."""

import asyncio
import threading
import time

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry


@pytest.fixture(params=[2, 3])
def r(request, address):
    host, port = address
    with redis.Redis(host=host, port=port, protocol=request.param, decode_responses=True) as r:
        r.version = request.param
        yield r


def test_handshake(r):
    assert r.ping()
    assert int(r.client_info()["resp"]) == r.version
    assert r.client_info()["lib-name"].startswith("redis-py")
    r.client_setname("worker")
    assert r.client_getname() == "worker"
    assert [c["name"] for c in r.client_list() if int(c["id"]) == r.client_id()] == ["worker"]


def test_default_protocol(address):
    host, port = address
    with redis.Redis(host=host, port=port) as r:
        assert r.ping()
        assert r.client_info()["resp"] in ("3", 3)


def test_info(r):
    info = r.info()
    assert tuple(int(n) for n in info["redis_version"].split(".")) >= (8, 2, 0)
    assert info["loading"] == 0
    r.set("k", "v")
    assert r.info("keyspace")["db0"]["keys"] == 1
    assert r.dbsize() == 1


def test_strings(r):
    assert r.set("k", "v", ex=100, nx=True) is True
    assert r.set("k", "w", nx=True) is None
    assert r.get("k") == "v"
    assert 60 <= r.ttl("k") <= 100
    assert r.set("k", "w", get=True) == "v"
    assert r.getex("k", px=50_000) == "w"
    assert r.getdel("k") == "w"
    assert r.get("k") is None
    assert r.mset({"a": "1", "b": "2"})
    assert r.mget("a", "missing", "b") == ["1", None, "2"]
    assert r.incrby("a", 41) == 42
    assert r.incrbyfloat("f", 1.5) == 1.5
    assert r.append("b", "x") == 2
    assert r.getrange("b", 0, 0) == "2"
    with pytest.raises(redis.ResponseError, match="not an integer"):
        r.incr("b")


def test_binary(address):
    host, port = address
    value = bytes(range(256)) * 100
    for version in (2, 3):
        with redis.Redis(host=host, port=port, protocol=version) as r:
            r.set(b"\x00\xff", value)
            assert r.get(b"\x00\xff") == value
            r.hset("h", mapping={b"\r\n": value})
            assert r.hgetall("h") == {b"\r\n": value}


def test_hashes(r):
    assert r.hset("h", mapping={"f": "1", "g": "2"}) == 2
    assert r.hgetall("h") == {"f": "1", "g": "2"}
    assert r.hmget("h", "f", "x") == ["1", None]
    assert r.hincrby("h", "f", 5) == 6
    assert r.hincrbyfloat("h", "f", 0.5) == 6.5
    assert r.hkeys("h") == ["f", "g"]
    assert r.hlen("h") == 2
    assert r.hstrlen("h", "g") == 1
    assert dict(r.hscan_iter("h")) == {"f": "6.5", "g": "2"}
    assert r.hdel("h", "f", "x") == 1
    assert sorted(r.hrandfield("h", 5)) == ["g"]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        r.get("h")


def test_keys(r):
    r.mset({f"user:{i}": i for i in range(500)})
    assert set(r.scan_iter("user:*", count=50)) == {f"user:{i}" for i in range(500)}
    assert set(r.scan_iter(_type="hash")) == set()
    assert len(r.keys("user:1?")) == 10
    assert r.unlink("user:1", "user:2", "nobody") == 2
    assert r.exists("user:1", "user:3") == 1
    assert r.rename("user:3", "user:x") and r.get("user:x") == "3"
    assert r.copy("user:x", "user:y") and r.get("user:y") == "3"
    assert r.expire("user:y", 100, nx=True) and not r.expire("user:y", 50, gt=True)
    assert r.persist("user:y") and r.ttl("user:y") == -1
    assert r.type("user:y") == "string"
    assert r.flushdb() and r.dbsize() == 0


def test_expiry(r, wait):
    r.set("k", "v", px=30)
    wait(lambda: r.get("k"), None)
    assert r.pttl("k") == -2


def test_pipeline(r):
    with r.pipeline(transaction=False) as p:
        for i in range(1000):
            p.set(f"k{i}", i)
            p.get(f"k{i}")
        got = p.execute()
    assert got == [x for i in range(1000) for x in (True, str(i))]
    with r.pipeline(transaction=False) as p:
        p.set("s", "v").incr("s").get("s")
        got = p.execute(raise_on_error=False)
    assert got[0] is True and isinstance(got[1], redis.ResponseError) and got[2] == "v"


def test_transaction(r):
    with r.pipeline() as p:
        assert p.set("a", 1).incr("a").hset("h", "f", "v").hgetall("h").execute() == [True, 2, 1, {"f": "v"}]
    with r.pipeline() as p:
        p.watch("a")
        r.set("a", 10)
        p.multi()
        p.incr("a")
        with pytest.raises(redis.WatchError):
            p.execute()
    assert r.transaction(lambda p: (p.multi(), p.incr("a")), "a") == [11]
    with r.pipeline() as p:
        p.set("a", 1).execute_command("NOSUCHCOMMAND")
        with pytest.raises(redis.ResponseError):
            p.execute()
    assert r.get("a") == "11"


def messages(p, n):
    """The next n messages of a subscriber."""
    got = []
    deadline = time.monotonic() + 60
    while len(got) < n:
        assert time.monotonic() < deadline, f"no message within a minute, after {got}"
        if m := p.get_message(timeout=1):
            got.append((m["type"], m["channel"], m["data"]))
    return got


def test_pubsub(r):
    with r.pubsub() as p:
        p.subscribe("news")
        p.psubscribe("user:*")
        assert messages(p, 2) == [("subscribe", "news", 1), ("psubscribe", "user:*", 2)]
        assert r.publish("news", "hello") == 1
        assert r.publish("user:1", "there") == 1
        assert messages(p, 2) == [("message", "news", "hello"), ("pmessage", "user:1", "there")]
        assert r.pubsub_channels() == ["news"]
        assert r.pubsub_numsub("news") == [("news", 1)]
        p.unsubscribe("news")
        assert messages(p, 1) == [("unsubscribe", "news", 1)]
        assert r.publish("news", "nobody") == 0


def test_databases(address):
    host, port = address
    for version in (2, 3):
        with redis.Redis(host=host, port=port, db=3, protocol=version) as three:
            three.set("k", "three")
            with redis.Redis(host=host, port=port, protocol=version) as zero:
                assert zero.get("k") is None
                three.flushdb()


def test_config(r):
    old = r.config_get("maxmemory-policy")["maxmemory-policy"]
    assert r.config_set("maxmemory-policy", "allkeys-lru")
    assert r.config_get("maxmemory*")["maxmemory-policy"] == "allkeys-lru"
    r.config_set("maxmemory-policy", old)


def test_commands_are_described(r):
    assert r.command_count() > 100
    table = r.command()
    assert table["get"]["arity"] == 2 and "readonly" in table["get"]["flags"]
    assert r.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]


def test_password(address):
    host, port = address
    with redis.Redis(host=host, port=port) as admin:
        admin.config_set("requirepass", "s3cret")
        try:
            for version in (2, 3):
                with redis.Redis(host=host, port=port, protocol=version, password="s3cret") as r:
                    assert r.ping()
                with redis.Redis(host=host, port=port, protocol=version, username="default", password="s3cret") as r:
                    assert r.ping()
                with redis.Redis(host=host, port=port, protocol=version, password="wrong", retry=Retry(NoBackoff(), 0)) as r:
                    with pytest.raises(redis.AuthenticationError):
                        r.ping()
                with redis.Redis(host=host, port=port, protocol=version, retry=Retry(NoBackoff(), 0)) as r:
                    with pytest.raises(redis.AuthenticationError):
                        r.ping()
        finally:
            admin.config_set("requirepass", "")


def test_many_threads(r):
    def work(n):
        for i in range(50):
            r.set(f"t{n}:{i}", i)
            assert r.get(f"t{n}:{i}") == str(i)
            r.incr("total")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert r.get("total") == "400"


@pytest.mark.parametrize("version", [2, 3])
def test_asyncio(address, version):
    host, port = address

    async def main():
        async with redis.asyncio.Redis(host=host, port=port, protocol=version, decode_responses=True) as r:
            assert await r.ping()
            await asyncio.gather(*(r.set(f"k{i}", i) for i in range(50)))
            assert await asyncio.gather(*(r.get(f"k{i}") for i in range(50))) == [str(i) for i in range(50)]
            async with r.pipeline(transaction=True) as p:
                assert await p.set("a", 1).incr("a").execute() == [True, 2]
            await r.hset("h", mapping={"f": "v"})
            assert await r.hgetall("h") == {"f": "v"}
            assert {k async for k in r.scan_iter("k1*")} == {k for k in (f"k{i}" for i in range(50)) if k.startswith("k1")}
            async with r.pubsub() as p:
                await p.subscribe("ch")
                assert (await p.get_message(timeout=60))["type"] == "subscribe"
                await r.publish("ch", "hi")
                assert (await p.get_message(timeout=60))["data"] == "hi"
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                await r.get("h")

    asyncio.run(main())
