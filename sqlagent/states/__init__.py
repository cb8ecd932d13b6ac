"""States of agents: every version in little space, and what is done with versions.

`cut` says in which parts a version is kept, `store` writes it, `read` gives it back and proves it;
`compact` cuts what other clients wrote whole, `fork`, `merge` (with `ancestors` and `three_way`),
`diff` and `remove` work on whole histories, `watch` (on a `wake`) waits for the next change.
"""
