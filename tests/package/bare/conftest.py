pytest_plugins = ["onloop.testing"]
