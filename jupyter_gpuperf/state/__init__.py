"""Keep the state that a step reaches, and restore it bit for bit into the same memory.

The search can begin (:mod:`roots`) at a notebook's names with a cell's code, or at a step function.
"""
