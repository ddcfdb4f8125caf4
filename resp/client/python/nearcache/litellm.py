"""LiteLLM's cache, on the server's semantic cache.

    litellm.cache = litellm.Cache(type="local")
    litellm.cache.cache = NearcacheLiteLLM(SemanticCache(url, "llm", embed=…))
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Optional

from litellm.caching.base_cache import BaseCache

from .semantic import SemanticCache


class NearcacheLiteLLM(BaseCache):
    """The last message is the prompt, what came before it the context; model and tenant ("user") are the scope. A call
    without messages is cached under its key."""

    def __init__(self, cache: SemanticCache, ttl: Optional[float] = None) -> None:
        super().__init__()
        self.cache, self.ttl = cache, ttl

    def _place(self, key: str, kwargs: dict) -> tuple[str, str, dict[str, str]]:
        messages = kwargs.get("messages") or []
        scope = {f: str(kwargs[f]) for f in ("model", "user") if kwargs.get(f)}
        if not messages:
            return key, "key", scope
        *before, last = messages
        context = hashlib.sha256(json.dumps(before, sort_keys=True, default=str).encode()).hexdigest()[:32] if before else ""
        content = last.get("content") if isinstance(last, dict) else getattr(last, "content", "")
        return content if isinstance(content, str) else json.dumps(content, default=str), context, scope

    def set_cache(self, key: str, value: Any, **kwargs: Any) -> None:
        prompt, context, scope = self._place(key, kwargs)
        ttl = kwargs.get("ttl") or self.ttl
        self.cache.set(prompt, json.dumps(value, default=str), context=context, scope=scope, ttl=ttl)

    def get_cache(self, key: str, **kwargs: Any) -> Any:
        prompt, context, scope = self._place(key, kwargs)
        a = self.cache.get(prompt, context=context, scope=scope)
        return json.loads(a.text) if a.hit else None

    async def async_set_cache(self, key: str, value: Any, **kwargs: Any) -> None:
        import asyncio

        await asyncio.to_thread(self.set_cache, key, value, **kwargs)

    async def async_get_cache(self, key: str, **kwargs: Any) -> Any:
        import asyncio

        return await asyncio.to_thread(self.get_cache, key, **kwargs)

    async def async_set_cache_pipeline(self, cache_list: list, **kwargs: Any) -> None:
        for key, value in cache_list:
            await self.async_set_cache(key, value, **kwargs)
