"""What a host allows: limits, read-only mode, queues, and executors for work elsewhere."""
