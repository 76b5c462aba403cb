"""Many benchmarks in one environment, or in two by turns."""
