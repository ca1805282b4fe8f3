"""What the relay touches outside itself: providers, store, topics, clock."""
