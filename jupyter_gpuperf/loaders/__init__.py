"""DataLoaders: rebuild one, write it as code, inspect it, time it."""
