"""Management of durable jobs."""
