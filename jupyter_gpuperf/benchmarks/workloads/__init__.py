"""What benchmarks work on: networks, training steps, images; and what times them."""
