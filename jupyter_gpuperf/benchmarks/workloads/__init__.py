"""What benchmarks work on: networks, training steps, images."""
