"""Management of a project: its commands, and the texts that they write."""
