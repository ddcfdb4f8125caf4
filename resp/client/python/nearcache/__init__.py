"""A near cache: what was read is answered from this process until the server says that it has changed."""

from .aio import AsyncNearCache
from .sync import NearCache

__all__ = ["AsyncNearCache", "NearCache"]
