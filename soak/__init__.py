"""A rendered project under everything that a stranger can do to it, for ten minutes: `make soak`.

Run by the rendered project's interpreter, which has the drivers of PostgreSQL and Redis.
"""
