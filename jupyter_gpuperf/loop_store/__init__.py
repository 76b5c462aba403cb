"""In the server: what kernels report of their training loops."""
