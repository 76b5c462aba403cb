"""Which processes hold a device: the process table, and the notebook of a process."""
