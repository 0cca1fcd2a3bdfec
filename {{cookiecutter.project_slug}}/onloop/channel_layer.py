"""The channel layer of channels-redis, with connections that notice when Redis does not reply."""

from channels_redis.core import RedisChannelLayer


class BoundedRedisChannelLayer(RedisChannelLayer):  # type: ignore[misc]
    """Waits for messages one second at a time, so that connections can have a short timeout."""

    brpop_timeout = 1
