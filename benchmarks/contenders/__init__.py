"""The applications that are measured. Each answers the same paths with the same content."""
