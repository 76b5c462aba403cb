"""Timers, statistics, the stop rule, and the environment of a result.

At module level, this package imports only the standard library, because workers in other environments import it.
"""
