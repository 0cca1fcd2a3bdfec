pytest_plugins = [
    "tests.acceptance.services.fixtures",
    "tests.acceptance.services.own_redis",
]
