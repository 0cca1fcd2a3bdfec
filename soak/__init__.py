"""A rendered project under ten minutes of attacks, for `make soak`.

Run by the rendered project's interpreter, which has the drivers of PostgreSQL and Redis.
"""
