"""The question that a conversation asks, and what came before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from .wire import encode

MAX_BEFORE = 1 << 20  # bytes of a text that the server compares


@dataclass(frozen=True)
class Turn:
    """prompt is asked; context is the hash of what has to be the same before it, before what need only mean the same."""

    prompt: str
    context: str = ""
    before: str = ""


def conversation(messages: Sequence[Any], similar: bool = False) -> Turn:
    """The question that the last of the messages asks. They are mappings as OpenAI has them, {"role": …, "content": …}, or
    objects with a model_dump. Those before it have to be the same for an answer to be shared; with similar, what the user
    and the assistant have said in plain text need only mean the same. What instructs the model, and all of it where
    something is no plain text or too long to be compared, has to be the same as before; so has what the last message has
    beside its text.

    The client for Go makes the same of messages that are plain text: both share their answers."""
    if not messages:
        raise ValueError("a conversation has a message at least")
    *before, last = (_mapping(m) for m in messages)
    prompt = _plain(last.get("content"))
    rest = {k: v for k, v in last.items() if k != "content" and v is not None and (k, v) != ("role", "user")}
    if prompt is None:  # a picture, say, which the embedding of a text knows nothing of
        rest["content"] = last.get("content")
        prompt = _texts(last.get("content"))
    prompt = prompt or _json(last.get("content"))
    turns = [_words(m) for m in before]
    if rest:  # what is asked is another thing
        turns.append(("", "", _json(rest)))
    if similar and all(t[0] and not t[2] for t in turns):
        # The last first, as models look at the beginning of a text most.
        said = "".join(t[1] + "\n" for t in reversed(turns) if t[0] in ("user", "assistant"))
        if len(said.encode("utf-8", "surrogatepass")) <= MAX_BEFORE:
            return Turn(prompt, _hash([t for t in turns if t[0] not in ("user", "assistant")]), said)
    return Turn(prompt, _hash(turns))


def _mapping(message: Any) -> Mapping[str, Any]:
    return message if isinstance(message, Mapping) else message.model_dump()


def _words(message: Mapping[str, Any]) -> tuple[str, str, str]:
    """Role, content, and what there is beside."""
    content, role = _plain(message.get("content")), message.get("role")
    rest = {k: v for k, v in message.items() if k not in ("role", "content") and v is not None}
    if content is None:
        rest["content"] = message.get("content")
    if not isinstance(role, str):
        rest["role"] = role
    return role if isinstance(role, str) else "", content or "", _json(rest) if rest else ""


def _plain(content: Any) -> Optional[str]:
    """The text of a content that is text alone, or parts of text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or not content:
        return None
    if not all(isinstance(p, Mapping) and set(p) == {"type", "text"} and p["type"] == "text" and isinstance(p["text"], str) for p in content):
        return None
    return "\n".join(p["text"] for p in content)


def _texts(content: Any) -> str:
    """The texts among the parts of a content."""
    parts = content if isinstance(content, (list, tuple)) else ()
    return "\n".join(p["text"] for p in parts if isinstance(p, Mapping) and isinstance(p.get("text"), str))


def _json(v: Any) -> str:
    return json.dumps(v, sort_keys=True, default=str)


def _hash(turns: Sequence[tuple[str, str, str]]) -> str:
    if not turns:
        return ""
    words = encode(tuple(w.encode("utf-8", "surrogatepass") for t in turns for w in t))
    return hashlib.sha256(words).hexdigest()[:32]
