"""Running scorers over items: bounded, durable, resumable."""
