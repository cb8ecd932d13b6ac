"""`sqlagent users FILE add|remove|list|password|grant|revoke …`: who may log in to the server."""

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .options import Parser, UsageError, check_file
from .session import Session

EXAMPLES = """\
examples:
  sqlagent users agent.db add ada --role writer          (asks for the password)
  sqlagent users agent.db add bot --password-file secret.txt --agent ada
  sqlagent users agent.db list
  sqlagent users agent.db grant bot select --table orders
  sqlagent users agent.db grant bot --agent bob
  sqlagent users agent.db revoke bot --agent bob
  sqlagent users agent.db password ada
  sqlagent users agent.db remove bot

The first grant narrows: from then on a user has the granted tables, or agents, alone. The table '*'
and the agent '*' are all of them. SQL says the same: CREATE USER, GRANT … ON … TO, and so on.
"""


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent users",
        description="Users of `sqlagent serve`: passwords, roles and grants.",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file")
    verbs = made.add_subparsers(dest="verb", metavar="COMMAND", required=True, parser_class=Parser)
    adding = verbs.add_parser("add", help="add a user")
    adding.add_argument("name")
    adding.add_argument("--role", choices=("reader", "writer", "admin"), default="reader")
    _password_options(adding)
    adding.add_argument("--table", action="append", default=[], help="grant the role on a table")
    adding.add_argument("--agent", action="append", default=[], help="grant the rows of an agent")
    removing = verbs.add_parser("remove", help="remove a user and its grants")
    removing.add_argument("name")
    listing = verbs.add_parser("list", help="list users and their grants")
    listing.add_argument("--format", choices=("table", "csv", "json"), default="table")
    changing = verbs.add_parser("password", help="give a user another password")
    changing.add_argument("name")
    _password_options(changing)
    for verb, help in (("grant", "grant tables or agents"), ("revoke", "take them away")):
        one = verbs.add_parser(verb, help=help)
        one.add_argument("name")
        one.add_argument(
            "privileges", nargs="?", default="select" if verb == "grant" else "all",
            help="select, insert, update, delete with commas between, or all",
        )  # fmt: skip
        one.add_argument("--table", action="append", default=[], help="a table or view; * is all")
        one.add_argument("--agent", action="append", default=[], help="an agent_id; * is all")
    options = made.parse_args(list(argv))
    check_file(options.file, must_exist=True)
    session = Session(options.file)
    try:
        return _VERBS[options.verb](session, options)
    finally:
        session.close()


def _password_options(parser: Parser) -> None:
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the password")
    parser.add_argument(
        "--no-password", action="store_true", help="the user cannot log in before one is set"
    )


def _add(session: Session, options: Any) -> int:
    password = _password(options)
    calls = ["create_user(:name, password => :password, role => :role)"]
    values: dict[str, Any] = {"name": options.name, "password": password, "role": options.role}
    privileges = "select" if options.role == "reader" else "all"
    for number, table in enumerate(options.table):
        calls.append(f"grant_table(:name, :table{number}, '{privileges}')")
        values[f"table{number}"] = table
    for number, agent in enumerate(options.agent):
        calls.append(f"grant_agent(:name, :agent{number})")
        values[f"agent{number}"] = agent
    session.connection.execute("SELECT " + ", ".join(calls), values)
    print(f"added {options.name}, {options.role}")
    return 0


def _remove(session: Session, options: Any) -> int:
    session.connection.execute("SELECT drop_user(?)", (options.name,))
    print(f"removed {options.name}")
    return 0


def _list(session: Session, options: Any) -> int:
    session.set_mode(options.format)
    cursor = session.connection.execute(
        "SELECT name, role, CASE WHEN NOT can_log_in THEN 'no' WHEN verifier IS NULL THEN "
        "'no password' ELSE 'yes' END AS logs_in, CASE WHEN every_table THEN '*' ELSE coalesce(("
        "SELECT group_concat(object || ': ' || p, '; ') FROM (SELECT object, "
        "group_concat(privilege, ', ') AS p FROM sqlagent_grants g WHERE g.user_name = u.name "
        "AND kind = 'table' GROUP BY object)), '') END AS tables, CASE WHEN every_agent THEN '*' "
        "ELSE coalesce((SELECT group_concat(object, ', ') FROM sqlagent_grants g "
        "WHERE g.user_name = u.name AND kind = 'agent'), '') END AS agents, created_at "
        "FROM sqlagent_users u ORDER BY name"
    )
    session.show(cursor.description, cursor.fetchall())
    return 0


def _change(session: Session, options: Any) -> int:
    password = _password(options)
    if password is None:
        raise UsageError("there is no password to set")
    session.connection.execute("SELECT alter_user(?, password => ?)", (options.name, password))
    print(f"changed the password of {options.name}")
    return 0


def _grants(session: Session, options: Any) -> int:
    verb = options.verb
    if not options.table and not options.agent:
        raise UsageError(f"nothing to {verb}", "--table NAME, or --agent AGENT_ID")
    calls: list[str] = []
    values: dict[str, Any] = {"name": options.name, "privileges": options.privileges}
    for number, table in enumerate(options.table):
        calls.append(f"{verb}_table(:name, :table{number}, :privileges)")
        values[f"table{number}"] = table
    for number, agent in enumerate(options.agent):
        calls.append(f"{verb}_agent(:name, :agent{number})")
        values[f"agent{number}"] = agent
    if not options.table:
        del values["privileges"]
    session.connection.execute("SELECT " + ", ".join(calls), values)
    print(f"{verb}ed {', '.join([*options.table, *options.agent])}".replace("revokeed", "revoked"))
    return 0


_VERBS = {
    "add": _add, "remove": _remove, "list": _list, "password": _change, "grant": _grants,
    "revoke": _grants,
}  # fmt: skip


def _password(options: Any) -> str | None:
    """The password: of a file, or asked for twice. Errors: UsageError."""
    if options.no_password:
        return None
    if options.password_file is not None:
        return first_line(options.password_file)
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password on", "--password-file FILE")
    first = getpass.getpass("password: ")
    if not first:
        raise UsageError("a password is not empty")
    if getpass.getpass("once more: ") != first:
        raise UsageError("the two passwords differ")
    return first


def first_line(path: str) -> str:
    """The first line of a file. Errors: UsageError where there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'no password in "{path}": {error}') from None
    line = text.split("\n", 1)[0].removesuffix("\r")
    if not line:
        raise UsageError(f'the first line of "{path}" is empty, and should be the password')
    return line
