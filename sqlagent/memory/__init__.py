"""What happens to memories after they were written: operations that can be shown and undone.

Every module here works with the writer's connection, inside its transaction, and imports nothing
heavy: a crash at any point leaves all of an operation or nothing.
"""
