"""LiteLLM's cache, on the server's semantic cache.

    litellm.cache = NearcacheLiteLLM(SemanticCache(url, "llm", embed=…), ttl=600)
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from litellm.caching.base_cache import BaseCache
from litellm.caching.caching import Cache

from .conversation import conversation
from .semantic import SemanticCache


class NearcacheLiteLLM(Cache):
    """The last message is the prompt, what came before it the context, which has to be the same, or to mean the same where
    the SemanticCache is one with similar; all else that is asked for (model, settings, tools, user, the proxy's key and
    team) is the scope. A call without messages has its own answer only. An answer that calls a tool is not kept. Options are those of litellm.Cache: ttl, namespace,
    mode, supported_call_types …"""

    def __init__(self, cache: SemanticCache, **options: Any) -> None:
        super().__init__(type="local", **options)
        self.type = "redis-semantic"  # LiteLLM's keys are scopes then
        self.cache = _Answers(cache)

    def get_cache_key(self, **kwargs: Any) -> str:
        key = super().get_cache_key(**kwargs)
        if kwargs.get("messages"):
            return key
        rest = json.dumps([kwargs.get("prompt"), kwargs.get("input")], default=str)
        return f"{key}:{hashlib.sha256(rest.encode()).hexdigest()}"


class _Answers(BaseCache):
    def __init__(self, cache: SemanticCache) -> None:
        super().__init__()
        self.cache = cache

    def _place(self, key: str, kwargs: dict) -> tuple[str, dict[str, Any]]:
        messages = kwargs.get("messages") or []
        if not messages:
            return key, {"scope": {"call": key}}
        turn = conversation(messages, self.cache.similar)
        return turn.prompt, {"context": turn.context, "before": turn.before, "scope": {"call": key}}

    def set_cache(self, key: str, value: Any, **kwargs: Any) -> None:
        if _calls(value):
            return
        prompt, place = self._place(key, kwargs)
        self.cache.set(prompt, json.dumps(value, default=str), ttl=kwargs.get("ttl"), **place)

    def get_cache(self, key: str, **kwargs: Any) -> Any:
        prompt, place = self._place(key, kwargs)
        a = self.cache.get(prompt, **place)
        return json.loads(a.text) if a.hit else None

    async def async_set_cache(self, key: str, value: Any, **kwargs: Any) -> None:
        await asyncio.to_thread(self.set_cache, key, value, **kwargs)

    async def async_get_cache(self, key: str, **kwargs: Any) -> Any:
        return await asyncio.to_thread(self.get_cache, key, **kwargs)

    async def async_set_cache_pipeline(self, cache_list: list, **kwargs: Any) -> None:
        for key, value in cache_list:
            await self.async_set_cache(key, value, **kwargs)

    async def disconnect(self) -> None:
        """The SemanticCache is its maker's."""


def _calls(value: Any) -> bool:
    """Whether an answer, as LiteLLM has it kept, calls a tool: it is about what is now, and acts."""
    response = value.get("response") if isinstance(value, dict) else None
    if isinstance(response, str):
        try:
            response = json.loads(response)
        except ValueError:
            return False
    if not isinstance(response, dict):
        return False
    messages = [c.get("message") or {} for c in _dicts(response.get("choices"))]
    outputs = [str(o.get("type")) for o in _dicts(response.get("output"))]  # of /v1/responses
    return any(m.get("tool_calls") or m.get("function_call") for m in messages) or any(t.endswith("_call") for t in outputs)


def _dicts(v: Any) -> list[dict]:
    return [x for x in v if isinstance(x, dict)] if isinstance(v, list) else []
