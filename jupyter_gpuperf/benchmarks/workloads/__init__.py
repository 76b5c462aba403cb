"""The workloads of the benchmarks (networks, training steps, images, child processes), and how they are timed."""
