"""The line between a kernel and its server: one transport for both ends.

A kernel has no token: under password or hub authentication it could not call the REST routes. So the server listens
on a Unix socket that only its own user may open (:mod:`listener`), and leaves its address where a kernel finds it
(:mod:`address`). All that a kernel says goes through a :class:`link.ServerLink`: benchmarks that it asks for
(:mod:`server_run`), jobs that it runs itself (:mod:`job_reporter`), the memory that it holds (:mod:`memory_reporter`),
its training loops. The messages are declared in :mod:`schemas.kernel_link`. What a kernel loads of this imports no
part of the server.
"""
