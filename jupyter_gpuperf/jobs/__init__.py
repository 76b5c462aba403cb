"""Run benchmarks in worker processes that can be killed."""
