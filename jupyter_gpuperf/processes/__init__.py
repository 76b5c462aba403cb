"""Find the processes that use a device: the process table, and the notebook of each process."""
