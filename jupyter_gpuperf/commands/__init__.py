"""What magics and shell share: options, the manual, and what stands in a benchmark's place."""
