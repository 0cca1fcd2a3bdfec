"""Commands for durable jobs."""
