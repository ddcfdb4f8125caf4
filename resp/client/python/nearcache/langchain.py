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

from .conversation import conversation
from .semantic import SemanticCache, though_away

ROLES = {"human": "user", "HumanMessageChunk": "user", "ai": "assistant", "AIMessageChunk": "assistant", "SystemMessageChunk": "system"}
# What a message says of itself; the model is not told.
ASIDE = ("id", "type", "response_metadata", "usage_metadata")


class NearcacheSemanticCache(BaseCache):
    """Answers are shared by the same model with the same settings only, which are LangChain's llm_string. Of a chat model's
    messages the last is the prompt; those before it are its context, which has to be the same, or to mean the same where the
    SemanticCache is one with similar. An answer that calls a tool is not kept. While the server is away the model is asked."""

    def __init__(self, cache: SemanticCache, ttl: Optional[float] = None) -> None:
        self.cache, self.ttl = cache, ttl

    def _scope(self, llm_string: str) -> dict[str, str]:
        return {"llm": hashlib.sha256(llm_string.encode()).hexdigest()[:32]}

    def _place(self, prompt: str, llm_string: str) -> tuple[str, dict[str, Any]]:
        messages = _messages(prompt)
        if messages is None:
            return prompt, {"scope": self._scope(llm_string)}
        turn = conversation(messages, self.cache.similar)
        return turn.prompt, {"context": turn.context, "before": turn.before, "scope": self._scope(llm_string)}

    def lookup(self, prompt: str, llm_string: str) -> Optional[Sequence[Generation]]:
        text, place = self._place(prompt, llm_string)
        with though_away():
            a = self.cache.get(text, **place)
            if a.hit:
                return [loads(g, allowed_objects="core") for g in json.loads(a.text)]
        return None

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        if any(_calls(g) for g in return_val):
            return
        text, place = self._place(prompt, llm_string)
        with though_away():
            self.cache.set(text, json.dumps([dumps(g) for g in return_val]), ttl=self.ttl, **place)

    def clear(self, **kwargs: Any) -> None:
        """Removes the answers of the model that llm_string names, or of all."""
        if "llm_string" in kwargs:
            self.cache.invalidate("SCOPE", "llm", self._scope(kwargs["llm_string"])["llm"])
        else:
            self.cache.clear()


def _messages(prompt: str) -> Optional[list[dict[str, Any]]]:
    """The messages that a chat model is asked, as LangChain writes them (dumps); None where it is a text."""
    if not prompt.startswith("[{"):
        return None
    try:
        return [_message(m["kwargs"]) for m in json.loads(prompt)]
    except (ValueError, KeyError, TypeError):
        return None


def _message(kwargs: dict[str, Any]) -> dict[str, Any]:
    role = kwargs.get("role") or ROLES.get(kwargs["type"], kwargs["type"])  # a ChatMessage names its own
    beside = {k: v for k, v in kwargs.items() if k not in ASIDE and not _says_nothing(v)}
    return {**beside, "role": role, "content": kwargs["content"]}


def _calls(g: Generation) -> bool:
    """Whether an answer calls a tool: it is about what is now, and acts."""
    m = getattr(g, "message", None)
    beside = getattr(m, "additional_kwargs", {})
    return bool(getattr(m, "tool_calls", None) or getattr(m, "invalid_tool_calls", None) or beside.get("function_call"))


def _says_nothing(v: Any) -> bool:
    return all(x is None for x in v.values()) if isinstance(v, dict) else not v
