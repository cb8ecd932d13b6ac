"""The Model Context Protocol: the file as tools and resources of a language model's client.

`tools` are plain functions of a connection, `server` says them in the protocol by its official SDK
(the extra `[serve]`), over stdio or HTTP.
"""
