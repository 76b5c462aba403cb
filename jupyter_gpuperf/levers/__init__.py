"""Make a cell fast, and prove it: try levers one by one and together, in the notebook's own state.

A lever is a change of the code: set-up lines that run once, and the cell itself. What is measured is the code that is
printed. It runs in the kernel process, from the state before the cell, as :mod:`precision` runs its modes; afterwards the
notebook is as after one ordinary run. Standard library only at module level.
"""
