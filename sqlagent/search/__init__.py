"""Search: the indexes of agents and collections in memory, kept up with the file.

Imports numpy, so it is imported only when something is searched.
"""
