"""The cache of upstream calls: RFC 9111, and stale answers as in RFC 5861.

`docs/caching.md` of the project says section by section what it does, and which test proves it.
"""

from onloop.http.cache.declaration import Cache
from onloop.http.cache.revalidation import end_revalidations
from onloop.http.cache.transport import CacheTransport

__all__ = ["Cache", "CacheTransport", "end_revalidations"]
