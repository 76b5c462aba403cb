"""Keep what a step reaches, and put it back: bit for bit, into the same memory.

There are two ways to say where the search begins (:mod:`roots`): a notebook's names with a cell's code, or a step function.
"""
