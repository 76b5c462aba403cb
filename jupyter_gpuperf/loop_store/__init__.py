"""In the server: what kernels report about their training loops."""
