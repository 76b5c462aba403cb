"""Running benchmarks in killable worker processes."""
