"""LangChain's cache of a model's answers, on the server's semantic cache.

    from langchain_core.globals import set_llm_cache
    set_llm_cache(NearcacheSemanticCache(SemanticCache(url, "llm", embed=model.embed_query)))
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Optional, Sequence

from langchain_core.caches import BaseCache
from langchain_core.load import dumps, loads
from langchain_core.outputs import Generation

from .semantic import SemanticCache


class NearcacheSemanticCache(BaseCache):
    """Answers are shared by the same model with the same settings only, which are LangChain's llm_string."""

    def __init__(self, cache: SemanticCache, ttl: Optional[float] = None) -> None:
        self.cache, self.ttl = cache, ttl

    def _scope(self, llm_string: str) -> dict[str, str]:
        return {"llm": hashlib.sha256(llm_string.encode()).hexdigest()[:32]}

    def lookup(self, prompt: str, llm_string: str) -> Optional[Sequence[Generation]]:
        a = self.cache.get(prompt, scope=self._scope(llm_string))
        if not a.hit:
            return None
        return [loads(g, allowed_objects="core") for g in json.loads(a.text)]

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        text = json.dumps([dumps(g) for g in return_val])
        self.cache.set(prompt, text, scope=self._scope(llm_string), ttl=self.ttl)

    def clear(self, **kwargs: Any) -> None:
        """Removes the answers of the model that llm_string names, or of all."""
        if "llm_string" in kwargs:
            self.cache.invalidate("SCOPE", "llm", self._scope(kwargs["llm_string"])["llm"])
        else:
            self.cache.near.execute("SEM.DROP", self.cache.namespace)
