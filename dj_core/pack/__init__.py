"""A set as one zip that drops into the booth."""
