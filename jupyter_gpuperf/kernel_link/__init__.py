"""The connection between a kernel and its server: one transport for both ends.

A kernel has no token: with password or hub authentication it could not call the REST routes. So the server listens
on a Unix socket that only its own user may open (:mod:`listener`), and writes its address where a kernel finds it
(:mod:`address`). All messages of a kernel go through a :class:`link.ServerLink`: benchmarks that it requests
(:mod:`server_run`), jobs that it runs itself (:mod:`job_reporter`), the memory that it holds (:mod:`memory_reporter`),
its training loops. The messages are declared in :mod:`schemas.kernel_link`. The modules that a kernel loads import no
part of the server.
"""
