"""The precision profiler: run a cell in every precision, time it, count its operators and compare its results.

It runs in the kernel process, because the model lives there. Afterwards the notebook's state is the same
as after one ordinary run. Standard library only at module level; torch is imported when a cell is profiled.
"""
