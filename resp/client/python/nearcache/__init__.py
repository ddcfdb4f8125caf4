"""A near cache: what was read is answered from this process until the server says that it has changed."""

from .aio import AsyncNearCache
from .conversation import Turn, conversation
from .semantic import Answer, AsyncSemanticCache, Computed, SemanticCache
from .sync import NearCache

__all__ = ["Answer", "AsyncNearCache", "AsyncSemanticCache", "Computed", "NearCache", "SemanticCache", "Turn", "conversation"]
