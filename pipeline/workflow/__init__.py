"""The use cases, a module each: the only place where stages are composed.

Nothing is imported here, so that a command starts with what it needs.
"""
