"""The connection between a kernel and its server: both ends of one transport.

A kernel has no token, so with password or hub authentication it could not call the REST routes. The server therefore
listens on a Unix socket that only its own user may open (:mod:`listener`), and writes the socket's address to a file
that kernels find (:mod:`address`). All messages of a kernel go through a :class:`link.ServerLink`: requests for
benchmarks (:mod:`server_run`), reports about jobs that the kernel runs itself (:mod:`job_reporter`), about its GPU
memory (:mod:`memory_reporter`) and its training loops, and answers about who holds its memory. The messages are declared
in :mod:`schemas.kernel_link`. The modules that a kernel imports do not import any part of the server.
"""
