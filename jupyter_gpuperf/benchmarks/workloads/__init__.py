"""What the benchmarks run: networks, training steps, images and child processes; and how they time it."""
