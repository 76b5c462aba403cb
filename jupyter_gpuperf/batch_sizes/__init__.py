"""What fits: a user's step at several batch sizes, its peak memory and its samples per second."""
