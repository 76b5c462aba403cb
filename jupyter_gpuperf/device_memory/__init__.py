"""Who holds a device's memory: names of the notebook, graphs, exceptions, the allocator, other processes.

Nothing here calls the user's code: no attribute is looked up on an object, only by the descriptors of its type.
"""
