"""Client-side caching of redis-py: hits stay in the client, writes of others reach it."""

import asyncio

import pytest
import redis
import redis.asyncio
from redis.cache import CacheConfig


@pytest.fixture
def cached(address):
    host, port = address
    with redis.Redis(
        host=host, port=port, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=128)
    ) as r:
        yield r


@pytest.fixture
def other(address):
    host, port = address
    with redis.Redis(host=host, port=port, decode_responses=True) as r:
        yield r


def hits(r):
    """How many reads the server itself has answered."""
    return r.info("stats")["keyspace_hits"]


def test_hits_stay_in_the_client(cached, other):
    other.set("k", "v")
    assert cached.get("k") == "v"
    before = hits(other)
    for _ in range(100):
        assert cached.get("k") == "v"
    assert hits(other) == before
    assert cached.get_cache().size == 1


def test_writes_of_others_are_seen(cached, other, wait):
    for i in range(50):
        other.set("k", i)
        wait(lambda: cached.get("k"), str(i))


@pytest.mark.parametrize(
    "kill",
    [
        lambda r: r.delete("k"),
        lambda r: r.unlink("k"),
        lambda r: r.flushall(),
        lambda r: r.flushdb(),
        lambda r: r.rename("k", "other"),
        lambda r: r.expire("k", -1),
        lambda r: r.pexpire("k", 5),
        lambda r: r.getdel("k"),
    ],
    ids=["del", "unlink", "flushall", "flushdb", "rename", "expire", "pexpire", "getdel"],
)
def test_the_end_of_a_key_is_seen(cached, other, wait, kill):
    other.set("k", "v")
    assert cached.get("k") == "v"
    assert cached.get("k") == "v"
    kill(other)
    wait(lambda: cached.get("k"), None)


def test_every_read_is_tracked(cached, other, wait):
    other.hset("h", mapping={"f": "1", "g": "2"})
    other.mset({"a": "1", "b": "2"})
    reads = {
        "hget": lambda: cached.hget("h", "f"),
        "hgetall": lambda: cached.hgetall("h"),
        "hmget": lambda: cached.hmget("h", "f", "g"),
        "hlen": lambda: cached.hlen("h"),
        "hkeys": lambda: cached.hkeys("h"),
        "hvals": lambda: cached.hvals("h"),
        "hexists": lambda: cached.hexists("h", "x"),
        "hstrlen": lambda: cached.hstrlen("h", "f"),
        "mget": lambda: cached.mget("a", "b"),
        "strlen": lambda: cached.strlen("a"),
        "getrange": lambda: cached.getrange("a", 0, -1),
        "exists": lambda: cached.exists("a"),
        "type": lambda: cached.type("a"),
    }
    first = {name: read() for name, read in reads.items()}
    assert first["hgetall"] == {"f": "1", "g": "2"} and first["mget"] == ["1", "2"]
    assert {name: read() for name, read in reads.items()} == first
    with other.pipeline() as p:
        p.hset("h", mapping={"f": "100", "x": "3"}).set("b", "20").delete("a").hset("a", "f", "v").execute()
    after = {
        "hget": "100",
        "hgetall": {"f": "100", "g": "2", "x": "3"},
        "hmget": ["100", "2"],
        "hlen": 3,
        "hkeys": ["f", "g", "x"],
        "hvals": ["100", "2", "3"],
        "hexists": True,
        "hstrlen": 3,
        "exists": 1,
        "type": "hash",
    }
    for name, want in after.items():
        wait(reads[name], want)


def test_own_writes_are_seen(cached):
    for i in range(20):
        cached.set("k", i)
        assert cached.get("k") == str(i)


def test_a_pool_of_connections(address, other, wait):
    host, port = address
    pool = redis.ConnectionPool(
        host=host, port=port, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=1000)
    )
    clients = [redis.Redis(connection_pool=pool) for _ in range(5)]
    held = [pool.get_connection() for _ in range(3)]
    for c in held:
        pool.release(c)
    for round_ in range(10):
        other.mset({f"k{i}": round_ for i in range(20)})
        for c in clients:
            for i in range(20):
                wait(lambda: c.get(f"k{i}"), str(round_))
    pool.disconnect()


def test_the_server_knows(cached, other):
    cached.get("k")
    flags = [c["flags"] for c in other.client_list()]
    assert any("t" in f for f in flags), flags
    assert other.info("clients")["tracking_clients"] >= 1


def test_pushes_of_plain_tracking_in_asyncio(address, other):
    """asyncio has no cache of its own; the pushes reach a handler."""
    host, port = address

    async def main():
        got = []
        async with redis.asyncio.Redis(
            host=host, port=port, protocol=3, single_connection_client=True
        ) as r:
            await r.ping()
            async def handler(data, **_):
                got.append(data)
            r.connection._parser.set_invalidation_push_handler(handler)
            await r.execute_command("CLIENT", "TRACKING", "ON")
            await r.get("k")
            other.set("k", "v")
            for _ in range(1000):
                await r.ping()
                if got:
                    break
        assert got and got[0][0] == b"invalidate" and got[0][1] == [b"k"], got

    asyncio.run(main())
