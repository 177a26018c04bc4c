"""Mutation testing: do the tests notice when a module computes something else? See `__main__.py`."""
