"""Locks of redis-py, of two Redlock libraries and of python-redis-lock."""

import asyncio
import logging
import threading

import pottery
import pytest
import redis
import redis.asyncio
import redis_lock
from redis.exceptions import LockError, LockNotOwnedError
from redlock import Redlock


@pytest.fixture(params=[2, 3])
def r(request, address):
    with redis.Redis(host=address[0], port=address[1], protocol=request.param) as r:
        yield r


@pytest.fixture
def nodes(address):
    """Three databases in the place of three servers."""
    clients = [redis.Redis(host=address[0], port=address[1], db=db) for db in range(3)]
    yield clients
    for c in clients:
        c.close()


def test_lock_of_redis_py(r):
    lock = r.lock("lock", timeout=60)
    assert lock.acquire()
    assert lock.owned() and lock.locked()
    assert not r.lock("lock").acquire(blocking=False)
    assert lock.extend(60)
    assert 60_000 < r.pttl("lock") <= 120_000
    assert lock.extend(10, replace_ttl=True)
    assert r.pttl("lock") <= 10_000
    assert lock.reacquire()
    assert 10_000 < r.pttl("lock") <= 60_000
    r.set("lock", "another's")
    with pytest.raises(LockNotOwnedError):
        lock.release()
    with pytest.raises(LockError):
        r.lock("lock", timeout=1).extend(1)
    r.delete("lock")
    assert lock.acquire()
    lock.release()
    assert not r.exists("lock")


def contend(threads, rounds, make):
    """Increments a plain counter under a lock; without the lock some get lost."""
    count = [0]
    wrong = []

    def work(number):
        try:
            for _ in range(rounds):
                with make(number):
                    n = count[0]
                    threading.Event().wait(0.0005)
                    count[0] = n + 1
        except Exception as e:
            wrong.append(e)

    all_ = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for t in all_:
        t.start()
    for t in all_:
        t.join()
    assert not wrong
    assert count[0] == threads * rounds


def test_many_contend_for_a_lock_of_redis_py(r):
    contend(4, 10, lambda _: r.lock("lock", timeout=60, sleep=0.001))


def test_lock_of_asyncio(address):
    async def main():
        async with redis.asyncio.Redis(host=address[0], port=address[1]) as r:
            count = 0

            async def work():
                nonlocal count
                for _ in range(10):
                    async with r.lock("lock", timeout=60, sleep=0.001):
                        n = count
                        await asyncio.sleep(0)
                        count = n + 1

            await asyncio.gather(*(work() for _ in range(5)))
            assert count == 50
            lock = r.lock("lock", timeout=60)
            assert await lock.acquire()
            assert await lock.owned()
            await lock.extend(5)
            await r.delete("lock")
            with pytest.raises(LockNotOwnedError):
                await lock.release()

    asyncio.run(main())


def test_redlock_py(nodes):
    manager = Redlock(nodes, retry_count=1)
    lock = manager.lock("lock", 60_000)
    assert lock.validity > 0
    assert [n.get("lock") for n in nodes] == [lock.key] * 3
    assert not manager.lock("lock", 60_000)
    manager.unlock(lock)
    assert [n.get("lock") for n in nodes] == [None] * 3
    # One node of three may say no.
    nodes[1].set("lock", "another's")
    lock = manager.lock("lock", 60_000)
    assert lock
    manager.unlock(lock)
    assert [n.get("lock") for n in nodes] == [None, b"another's", None]
    nodes[2].set("lock", "another's")
    assert not manager.lock("lock", 60_000)
    assert nodes[0].get("lock") is None


def test_redlock_of_pottery(nodes):
    lock = pottery.Redlock(key="printer", masters=set(nodes), auto_release_time=60)
    assert lock.acquire()
    assert lock.locked() > 0
    other = pottery.Redlock(key="printer", masters=set(nodes), auto_release_time=60)
    assert not other.acquire(blocking=False)
    lock.extend()
    lock.release()
    assert not lock.locked()
    assert other.acquire(blocking=False)
    other.release()


def test_pottery_keeps_a_dict_and_ids(nodes):
    d = pottery.RedisDict({"a": 1}, redis=nodes[0], key="dict")
    d["b"] = [2]
    assert dict(d) == {"a": 1, "b": [2]} and len(d) == 2
    ids = [pottery.NextID(key="ids", masters=set(nodes)) for _ in range(2)]
    assert [next(ids[i % 2]) for i in range(6)] == [1, 2, 3, 4, 5, 6]


def test_python_redis_lock(nodes, caplog):
    r = nodes[0]
    logging.getLogger("redis_lock").setLevel(logging.CRITICAL)
    lock = redis_lock.Lock(r, "lock", expire=60, auto_renewal=True)
    assert lock.acquire(blocking=False)
    assert not redis_lock.Lock(r, "lock").acquire(blocking=False)
    assert lock.get_owner_id() == lock.id.encode() or lock.get_owner_id() == lock.id
    # Who waits is woken by the release: BLPOP of what its script pushes.
    got = threading.Event()

    def waiter():
        with redis_lock.Lock(r, "lock", expire=60):
            got.set()

    t = threading.Thread(target=waiter)
    t.start()
    lock.release()
    assert got.wait(30)
    t.join()
    with pytest.raises(redis_lock.NotAcquired):
        lock.release()
    contend(4, 10, lambda _: redis_lock.Lock(r, "lock", expire=60))
