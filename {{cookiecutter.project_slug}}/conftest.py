"""Fixtures for all tests: `upstream`, `server`, `hops` (docs/testing.md)."""

pytest_plugins = ["onloop.testing"]
