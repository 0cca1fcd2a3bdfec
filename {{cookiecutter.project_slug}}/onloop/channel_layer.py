"""The channel layer of channels-redis, on connections that notice when Redis does not answer."""

from channels_redis.core import RedisChannelLayer


class BoundedRedisChannelLayer(RedisChannelLayer):  # type: ignore[misc]
    """Waits for messages a second at a time, so that no answer takes longer on any connection."""

    brpop_timeout = 1
