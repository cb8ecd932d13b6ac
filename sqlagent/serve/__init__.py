"""The ways in from outside: what listens, who may log in, and what a user's statement may do.

    sqlagent serve ─▶ command.py ─▶ Server ─▶ pg/ · http/ · quack.py   (start() → Listener)
                                      │
                     users.py, scram.py, limits.py, tls.py
                                      │
                     gate.connect(path, principal) ─▶ sqlagent.Connection

A protocol judges no statement: the connection that it is given passes every text through the gate
where it becomes a plan. Nothing under parse, rewrite, plan, run and engines imports this package.
"""
