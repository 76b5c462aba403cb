"""The precision profiler: a piece of the user's own code under every precision, timed, counted and checked.

It runs in the user's own process, because that is where the model lies, and leaves everything as after one ordinary
run. Standard library only at module level; torch is imported when something is profiled.
"""
