"""What other systems keep of an agent, read from their own files, and an agent's rows written out.

Each kind is a module with `read(path, agent) → records`; `bring` writes records into the file in
one transaction. A record carries where it is from, so that a second import adds what is new.
"""
