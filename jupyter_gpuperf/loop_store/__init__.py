"""Store, in the server, the reports of kernels about their training loops."""
