"""Run many benchmarks in one environment, or alternating between two environments."""
