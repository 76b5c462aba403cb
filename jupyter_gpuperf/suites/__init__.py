"""Many benchmarks in one environment, or in two environments in alternation."""
