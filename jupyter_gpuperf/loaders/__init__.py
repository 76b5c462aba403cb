"""DataLoaders: rebuild one, write it as code, look at it, time it."""
