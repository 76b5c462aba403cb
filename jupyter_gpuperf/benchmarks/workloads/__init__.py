"""Workloads of the benchmarks: networks, training steps and images; and the code that times them."""
