"""django-redis: Django's cache and its sessions."""

import django
import pytest
from django.conf import settings


@pytest.fixture(params=["default", "compressed", "shared"])
def cache(request, address):
    url = "redis://%s:%d/" % address
    if not settings.configured:
        def at(db, **options):
            return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url + db, "KEY_PREFIX": "app", "OPTIONS": options}

        settings.configure(
            CACHES={
                "default": at("1"),
                "compressed": at("2", COMPRESSOR="django_redis.compressors.zlib.ZlibCompressor", SERIALIZER="django_redis.serializers.json.JSONSerializer"),
                "shared": at("3", PARSER_CLASS="redis._parsers._RESP3Parser", CONNECTION_POOL_KWARGS={"protocol": 3}),
            },
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
        )
        django.setup()
    from django.core.cache import caches

    return caches[request.param]


def test_cache(cache):
    assert cache.set("k", {"a": [1, "x"]}, timeout=60)
    assert cache.get("k") == {"a": [1, "x"]}
    assert 0 < cache.ttl("k") <= 60
    assert cache.touch("k", 300) and cache.ttl("k") > 60
    assert not cache.add("k", 1) and cache.add("new", 1)
    assert cache.persist("k") and cache.ttl("k") is None
    assert cache.expire("k", 10) and cache.pttl("k") <= 10_000
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.get_many(["a", "b", "none"]) == {"a": 1, "b": 2}
    cache.set("n", 1)
    assert cache.incr("n") == 2 and cache.incr("n", 10) == 12 and cache.decr("n", 2) == 10
    with pytest.raises(ValueError):
        cache.incr("nothing")
    cache.set("n", 5, timeout=60)
    cache.incr("n") and cache.ttl("n") > 0
    assert cache.get_or_set("made", lambda: "x") == "x"
    assert sorted(cache.keys("*")) == ["a", "b", "c", "k", "made", "n", "new"]
    assert sorted(cache.iter_keys("?")) == ["a", "b", "c", "k", "n"]
    assert cache.has_key("a") and cache.delete("a") and not cache.has_key("a")
    assert cache.delete_many(["b", "c"]) == 2
    assert cache.delete_pattern("m*") == 1
    assert cache.set("short", 1, timeout=0) is not None and cache.get("short") is None
    cache.set("v", 1, version=1)
    assert cache.incr_version("v", version=1) == 2 and cache.get("v", version=2) == 1
    with cache.lock("lock", timeout=60):
        assert not cache.lock("lock").acquire(blocking=False)
    cache.clear()
    assert cache.keys("*") == []


def test_collections(cache):
    assert cache.sadd("s", "a", "b") == 2
    assert cache.smembers("s") == {"a", "b"} and cache.sismember("s", "a") and cache.scard("s") == 2
    cache.hset("h", "f", [1])
    assert cache.hlen("h") == 1 and cache.hexists("h", "f") and cache.hdel("h", "f") == 1


def test_sessions(cache):
    from django.contrib.sessions.backends.cache import SessionStore

    s = SessionStore()
    s["user"] = 7
    s.save()
    assert SessionStore(s.session_key)["user"] == 7
    s.cycle_key()
    assert SessionStore(s.session_key)["user"] == 7
    s.flush()
    assert "user" not in SessionStore(s.session_key)
