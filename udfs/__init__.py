"""One file a SQL function; `sqlagent.functions` finds them by this folder."""
