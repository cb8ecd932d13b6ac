"""The one place of the command line where a name or a text becomes part of an SQL statement."""


def quote_name(name: str) -> str:
    """`name` as an SQL identifier: `a"b` becomes `"a""b"`."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """`text` as an SQL string, where a parameter is not accepted: `it's` becomes `'it''s'`."""
    return "'" + text.replace("'", "''") + "'"
