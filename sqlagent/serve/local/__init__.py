"""The engine of the SQLite extension: a process that has one file open, on a private socket.

    any SQLite client ─ sqlagent0.so ─▶ a socket of the user's own ─▶ Session ─▶ sqlagent.Connection

It is started by the first client that loads the extension (`sqlagent extension --serve FILE`), one
a file, and ends when nobody has used it for a while. Only processes of its own user are answered:
whoever may read and write the file anyway.
"""
