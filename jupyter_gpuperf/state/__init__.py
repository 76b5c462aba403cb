"""Save the state that code can reach, and restore it bit for bit into the same memory.

The search for state begins at a notebook's names and a cell's code, or at a step function (see :mod:`roots`).
"""
