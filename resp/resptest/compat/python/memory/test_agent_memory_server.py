"""agent-memory-server: what it does on Redis, with embeddings from datasets/ for a model's."""

import asyncio
import datetime
import os
import sys
from unittest import mock

import pytest
from nearcache_data import address as server, banking77, embed, rows

os.environ |= {
    "REDIS_URL": "redis://{}:{}".format(*server()), "REDISVL_VECTOR_DIMENSIONS": "384", "EMBEDDING_MODEL": "none",
    "USE_DOCKET": "False", "ENABLE_DISCRETE_MEMORY_EXTRACTION": "False", "ENABLE_TOPIC_EXTRACTION": "False", "ENABLE_NER": "False",
}

# What asks models is never used here, and takes longer to import than all tests to run.
sys.modules |= {name: mock.MagicMock() for name in ("litellm", "litellm.utils", "litellm.exceptions")}

import docket  # noqa: E402
import redis.asyncio  # noqa: E402
from agent_memory_server import (  # noqa: E402
    dependencies, filters, long_term_memory, memory_vector_db, memory_vector_db_factory, migrations, summary_views, tasks, working_memory,
    working_memory_index,
)
from agent_memory_server.models import (  # noqa: E402
    MemoryMessage, MemoryRecord, MemoryTypeEnum, SearchModeEnum, SummaryView, Task, TaskStatusEnum, TaskTypeEnum, WorkingMemory,
)
from agent_memory_server.utils import redis as connections  # noqa: E402

TEXTS = [q["text"] for q in banking77()[::400]][:20]


class Embeddings:
    async def aembed_query(self, text):
        return embed(text if text in rows() else TEXTS[0])

    async def aembed_documents(self, texts):
        return [await self.aembed_query(t) for t in texts]


@pytest.fixture
def run(monkeypatch):
    """Runs a coroutine that is given a connection, the one that the package uses."""

    def run(main):
        async def with_connection():
            async with redis.asyncio.Redis.from_url(os.environ["REDIS_URL"]) as r:
                monkeypatch.setattr(connections, "_redis_pool", r)
                db = memory_vector_db_factory.create_redis_memory_vector_db(Embeddings())
                monkeypatch.setattr(memory_vector_db_factory, "_memory_vector_db", db)
                # What would ask a model in the background.
                monkeypatch.setattr(dependencies.HybridBackgroundTasks, "add_task", lambda *_, **__: None)
                await working_memory_index.ensure_working_memory_index(r)
                try:
                    await main(r, db)
                finally:
                    await db.index.disconnect()

        asyncio.run(with_connection())

    return run


def at(day):
    return datetime.datetime(2026, 1, day, tzinfo=datetime.UTC)


def record(i, **other):
    return MemoryRecord(**{
        "id": f"m{i}", "text": TEXTS[i], "user_id": "ann" if i % 2 else "bob@example.com", "session_id": f"s-{i % 4}", "namespace": "bank",
        "topics": ["cards", "money"] if i % 5 == 0 else ["transfers"], "entities": [f"entity {i % 3}"], "created_at": at(i + 1),
        "last_accessed": at(i + 1), "updated_at": at(i + 1), "memory_type": MemoryTypeEnum.SEMANTIC if i < 15 else MemoryTypeEnum.EPISODIC,
    } | other)


def ids(results):
    return {m.id for m in results.memories}


def numbers(keep):
    return {f"m{i}" for i in range(20) if keep(i)}


def session(name, user, namespace, **other):
    said = [MemoryMessage(role="user", content=t, created_at=at(i + 1)) for i, t in enumerate(TEXTS[:5])]
    return WorkingMemory(session_id=name, user_id=user, namespace=namespace, messages=said, memories=[], data={"n": {"deep": [1, 2]}}, **other)


def test_working_memory(run, wait):
    async def main(r, _):
        assert not await working_memory_index.ensure_working_memory_index(r)  # it is there
        for i in range(12):
            await working_memory.set_working_memory(session(f"s:{i}", f"user{i % 3}", "a" if i < 8 else "b-c"))
        total, names = await working_memory.list_sessions(r, limit=50)
        assert total == 12 and sorted(names) == sorted(f"s:{i}" for i in range(12))
        total, names = await working_memory.list_sessions(r, namespace="b-c", user_id="user0")
        assert total == 1 and names == ["s:9"]
        assert len((await working_memory.list_sessions(r, limit=3, offset=3, namespace="a"))[1]) == 3
        got = await working_memory.get_working_memory("s:4", "user1", "a")
        assert [m.content for m in got.messages] == TEXTS[:5] and got.data == {"n": {"deep": [1, 2]}}
        # Found by the index where the rest of its name is not told.
        got = await working_memory.get_working_memory("s:4", recent_messages_limit=2)
        assert got.user_id == "user1" and [m.content for m in got.messages] == TEXTS[3:5]
        await working_memory.delete_working_memory("s:4")
        assert await working_memory.get_working_memory("s:4") is None
        assert (await working_memory.list_sessions(r, namespace="a"))[0] == 7
        # What has expired is not listed.
        await working_memory.set_working_memory(session("short", "user1", "a", ttl_seconds=3600))
        key = "working_memory:a:user1:short"
        assert 3500 < await r.ttl(key) <= 3600
        assert "short" in (await working_memory.list_sessions(r, user_id="user1"))[1]
        await r.pexpire(key, 1)
        while await r.exists(key):
            await asyncio.sleep(0.001)
        assert "short" not in (await working_memory.list_sessions(r, user_id="user1"))[1]
        assert await working_memory_index.rebuild_working_memory_index(r)
        index = await working_memory_index.get_working_memory_index(r)
        while int((await index.info())["indexing"]):
            await asyncio.sleep(0.001)
        assert (await working_memory.list_sessions(r, limit=50))[0] == 11

    run(main)


def test_migration_of_working_memory(run):
    async def main(r, _):
        old = session("old", None, "a").model_dump_json(include={"session_id", "namespace", "messages", "memories"})
        await r.set("working_memory:a:old", old, ex=600)
        assert not await working_memory.check_and_set_migration_status(r)
        assert await working_memory.get_remaining_string_keys(r) == 1
        assert len((await working_memory.get_working_memory("old", namespace="a")).messages) == 5  # a script makes it JSON
        assert await r.type("working_memory:a:old") == b"ReJSON-RL" and await r.ttl("working_memory:a:old") > 0
        assert await working_memory.check_and_set_migration_status(r)
        assert (await working_memory.list_sessions(r, namespace="a"))[1] == ["old"]

    run(main)


def test_long_term_memory(run):
    async def main(r, db):
        search = long_term_memory.search_long_term_memories
        await long_term_memory.index_long_term_memories([record(i) for i in range(20)])
        assert await long_term_memory.count_long_term_memories(namespace="bank") == 20
        best = (await search(TEXTS[3], limit=5)).memories
        assert best[0].id == "m3" and best[0].dist == pytest.approx(0, abs=1e-5) and best[1].dist > 0.01
        assert best[0].topics == ["transfers"] and best[0].created_at == at(4)
        for want, by in {
            "user": (lambda i: i % 2, {"user_id": filters.UserId(eq="ann")}),
            "mail": (lambda i: i % 2 == 0, {"user_id": filters.UserId(eq="bob@example.com")}),
            "not": (lambda i: i % 4, {"session_id": filters.SessionId(ne="s-0")}),
            "any": (lambda i: i % 5 == 0, {"topics": filters.Topics(any=["cards", "houses"])}),
            "all": (lambda i: i % 5 == 0, {"topics": filters.Topics(all=["cards", "money"])}),
            "words": (lambda i: i % 3 == 1, {"entities": filters.Entities(any=["entity 1"])}),
            "from": (lambda i: i > 9, {"created_at": filters.CreatedAt(gt=at(10))}),
            "between": (lambda i: 4 <= i <= 9, {"created_at": filters.CreatedAt(between=[at(5), at(10)])}),
            "type": (lambda i: i >= 15, {"memory_type": filters.MemoryType(eq="episodic")}),
            "two": (lambda i: i % 2 and i >= 15, {"memory_type": filters.MemoryType(eq="episodic"), "user_id": filters.UserId(eq="ann")}),
        }.values():
            assert ids(await search(TEXTS[3], limit=50, **by)) == numbers(want), by
            assert ids(await search("", limit=50, **by)) == numbers(want), by  # without a vector
        near = (await search(TEXTS[3], distance_threshold=0.5, limit=50)).memories
        assert near[0].id == "m3" and all(m.dist <= 0.5 for m in near)
        pages = [(await search(TEXTS[3], limit=7, offset=o)).memories for o in (0, 7, 14)]
        assert [len(p) for p in pages] == [7, 7, 6] and len({m.id for p in pages for m in p}) == 20

    run(main)


def test_words_and_recency(run, monkeypatch):
    # What it reads of RedisVL's older queries of both kinds, for which RedisVL's newer ones have another name.
    monkeypatch.setattr(memory_vector_db.PhraseAwareAggregateHybridQuery, "_stopwords", frozenset(), raising=False)
    monkeypatch.setattr(memory_vector_db.PhraseAwareAggregateHybridQuery, "_text_weights", {}, raising=False)

    async def main(r, db):
        search = long_term_memory.search_long_term_memories
        await long_term_memory.index_long_term_memories([record(i) for i in range(20)])
        assert ids(await search('"showing complete"', search_mode=SearchModeEnum.KEYWORD, limit=20)) == {"m7"}
        words = await search(TEXTS[7], search_mode=SearchModeEnum.KEYWORD, limit=20, user_id=filters.UserId(eq="ann"))
        assert words.memories[0].id == "m7" and words.memories[0].score == 1 and ids(words) <= numbers(lambda i: i % 2)
        both = await search(TEXTS[7], search_mode=SearchModeEnum.HYBRID, limit=5, user_id=filters.UserId(eq="ann"))
        assert both.memories[0].id == "m7" and ids(both) <= numbers(lambda i: i % 2)
        # Ranked by age as well: the same text, seen lately, comes first. (It asks for this by an aggregation
        # that redis-py refuses to send, and then ranks by itself.)
        now = datetime.datetime.now(datetime.UTC)
        await db.add_memories([record(3, id="lately", last_accessed=now, created_at=now)])
        ranked = await search(TEXTS[3], server_side_recency=True, recency_params={})
        assert [m.id for m in ranked.memories[:2]] == ["lately", "m3"]

    run(main)


def test_changes_of_long_term_memory(run):
    async def main(r, db):
        index = long_term_memory.index_long_term_memories
        await index([record(i) for i in range(20)])
        await index([record(3, id="again")], deduplicate=True)  # the same text
        assert await r.hget("memory_idx:m3", "last_accessed") != str(at(4).timestamp()).encode()
        assert not await r.exists("memory_idx:again")
        await index([record(4, text=TEXTS[5] + " anew", session_id="s-0")], deduplicate=False)
        assert (await long_term_memory.get_long_term_memory_by_id("m4")).text == TEXTS[5] + " anew"
        await long_term_memory.update_long_term_memory("m6", {"user_id": "carl"})
        assert ids(await db.list_memories(user_id=filters.UserId(eq="carl"))) == {"m6"}
        assert await long_term_memory.update_last_accessed(["m7", "m8"]) == 2
        assert (await long_term_memory.get_long_term_memory_by_id("m7")).access_count == 1
        assert await long_term_memory.update_last_accessed(["m7", "m8"]) == 0
        assert await long_term_memory.delete_long_term_memories(["m1", "m2"]) == 2
        assert ids(await db.list_memories(limit=50)) == numbers(lambda i: i not in (1, 2))
        gone = await long_term_memory.forget_long_term_memories({"max_age_days": 1, "max_inactive_days": 10**5}, limit=50, dry_run=False)
        assert gone["scanned"] == 18 and gone["deleted"] == 18
        assert await long_term_memory.count_long_term_memories() == 0

    run(main)


def test_migrations(run):
    async def main(r, db):
        await long_term_memory.index_long_term_memories([record(i) for i in range(5)])
        for i in range(5):
            await r.hdel(f"memory_idx:m{i}", "memory_type")
        await migrations.migrate_add_memory_type_3(r)
        assert ids(await db.list_memories(memory_type=filters.MemoryType(eq="message"))) == {f"m{i}" for i in range(5)}

    run(main)


def test_views_and_tasks(run):
    async def main(r, _):
        view = SummaryView(id="v", name="by user", source="long_term", group_by=["user_id"])
        await summary_views.save_summary_view(view)
        assert [v.name for v in await summary_views.list_summary_views()] == ["by user"]
        await summary_views.delete_summary_view("v")
        assert await summary_views.get_summary_view("v") is None
        await tasks.create_task(Task(id="t", type=TaskTypeEnum.SUMMARY_VIEW_FULL_RUN, view_id="v", status=TaskStatusEnum.PENDING))
        for status in TaskStatusEnum.RUNNING, TaskStatusEnum.SUCCESS:
            await tasks.update_task_status(task_id="t", status=status)
        assert (await tasks.get_task("t")).status == TaskStatusEnum.SUCCESS

    run(main)


done = []


async def remember(key, times):
    done.append((key, times))


def test_tasks_in_the_queue(run):
    """Docket, by which it does in the background what takes long: streams, sorted sets and scripts."""

    async def main(r, _):
        async with docket.Docket(name="memory-server", url=os.environ["REDIS_URL"]) as queue:
            queue.register(remember)
            for i in range(5):
                await queue.add(remember)(f"a{i}", i)
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(milliseconds=20)
            await queue.add(remember, when=soon, key="later")("later", 1)
            await queue.add(remember, when=soon + datetime.timedelta(hours=1), key="never")("never", 1)
            await queue.cancel("never")
            async with docket.Worker(queue, minimum_check_interval=datetime.timedelta(milliseconds=5)) as worker:
                await worker.run_until_finished()
        assert sorted(done) == [(f"a{i}", i) for i in range(5)] + [("later", 1)]

    run(main)
