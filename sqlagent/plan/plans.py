"""Plans: what `plan` hands to `run`. Pure data; every string in them is SQL text for one engine.

`parameters` maps the engine's positional parameters to the user's: an int is an index into a
sequence, a str a key of a mapping; None passes the user's parameters on as they are (the text is
verbatim).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.catalog import Definition

if TYPE_CHECKING:
    from sqlagent.parse.writing_with import Part

Slots = tuple[int | str, ...] | None


class Lite(NamedTuple):
    """A statement that SQLite runs. `writes` sends it to the writer.

    `functions`: it calls functions of ours, so they must be registered on the connection. `types`:
    the logical type of each result column where the planner knows it (None: the declared type
    says). `tables`: lower-case names of the file's tables that it touches. `ddl`: it changes the
    schema. `names`: of outputs without one of their own (see `sqlagent.plan.named`). `exact`: the
    Duck plan of the same, or the text to make it of, for a row that SQLite cannot say exactly (True
    where SQLite was asked for, and must say so). `stores`: the parameters that
    go into columns of nested types, by place, with type and name. `source`: the attached SQLite
    file that runs it, all of whose tables it names bare. `native`: it is in SQLite's own dialect,
    and gives values as SQLite has them. `defined`: what users defined is in it, so another process
    may have made it outdated.
    """

    sql: str
    parameters: Slots = None
    writes: bool = False
    functions: bool = False
    tables: tuple[str, ...] = ()
    types: tuple[str | None, ...] | None = None
    ddl: bool = False
    why: str = ""
    names: tuple[str | None, ...] | None = None
    exact: Any = None
    stores: tuple[tuple[int, str, str], ...] = ()
    source: str = ""
    native: bool = False
    defined: bool = False


class Keys(NamedTuple):
    """A semi-join: a feed takes only the rows whose `column` is among the keys.

    `sql` is DuckDB's SELECT DISTINCT of the other side's column, over fresh columns of `tables`,
    over files, and over the feeds named in `after`, which must be there first. Above `at_most`
    keys the feed goes without them.
    """

    column: str
    sql: str
    parameters: Slots = None
    tables: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    at_most: int = 10_000


class Feed(NamedTuple):
    """Rows that DuckDB gets as Arrow, under `name`, before it runs.

    `source` is the alias of an attached source; '' is the file itself. `table` is the table's name
    in it and `columns` those that the statement needs, in the table's order. `filter` is a
    condition in the words of the source's engine, with `?1`, `?2` … for `parameters`: what passes
    it holds at least what the statement needs, so a source may ignore it. `limit` rows of any are
    enough. `rows` is how many the table has, about; None: not known. `expects` says of each
    parameter whether it must be a 'number' or a 'text': with another the filter is left out.
    `known` is the catalog's entry of the table: where it has changed, the plan is made anew.
    """

    name: str
    source: str
    table: str
    columns: tuple[str, ...]
    filter: str | None = None
    parameters: Slots = None
    limit: int | None = None
    keys: Keys | None = None
    rows: int | None = None
    expects: tuple[str, ...] = ()
    known: Any = None


class Aggregate(NamedTuple):
    """An aggregate of a view: `argument` is the place of its argument; None: count(*)."""

    call: str
    argument: int | None


class Materialized(NamedTuple):
    """A materialised view as DuckDB keeps it: a table of its own behind the view's name.

    `sql` is its SELECT, over `tables` of the file and over `views` of its kind; `columns` are
    (name, type). `how` it is kept: 'rows', 'groups' or 'whole', the last for the reason `why`. The
    others read one `table`, in DuckDB's expressions: `outputs` over its columns, or, for groups,
    over "k0" …, the `keys`, and "a0" …, the `aggregates` of `arguments`; `where` is over its
    columns, `having` as `outputs` are. `version` is that of the catalog.
    """

    name: str
    sql: str
    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...] = ()
    how: str = "whole"
    why: str = ""
    table: str = ""
    where: str | None = None
    keys: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    outputs: tuple[str, ...] = ()
    having: str | None = None
    views: tuple[Materialized, ...] = ()
    version: int = 0


class Duck(NamedTuple):
    """A read that DuckDB runs over fresh columns of `tables` (names as in the file).

    In `sql` a table of the file is named as it is in the file, in schema `main`. `files` are paths
    and globs that it reads; a Slot among them is a parameter that holds one. `lite` is the same on
    SQLite where that is possible: used inside a transaction that has written. `feeds` are read
    first, and named in `sql` by their own names; `natives` are the aliases of the attached
    databases that DuckDB itself has attached. `across` is the same as SQLite runs it by itself,
    over the file and the attached SQLite files that it names; `searched` are those aliases of
    tables in it that an index must serve, or it would be slow. `exact`: it gives SQLite's values or
    fails, as where an integer overflows; that is no answer, but a refusal. `views` are the
    materialised views that it reads; what those read is among `tables`.
    """

    sql: str
    parameters: Slots = None
    tables: tuple[str, ...] = ()
    files: tuple[str | int, ...] = ()
    functions: bool = False
    lite: Lite | None = None
    why: str = ""
    names: tuple[str | None, ...] | None = None
    feeds: tuple[Feed, ...] = ()
    natives: tuple[str, ...] = ()
    across: Lite | None = None
    searched: tuple[str, ...] = ()
    exact: bool = False
    views: tuple[Materialized, ...] = ()


class Typed(NamedTuple):
    """A read on DuckDB in SQLite's dialect whose parameters' classes decide what it says."""

    parameters: tuple[int | str, ...]
    why: str = ""


class Argument(NamedTuple):
    """An argument of a write call: a column of the source read (`column`), or given (`value`)."""

    column: int | None = None
    slot: int | str | None = None
    value: Any = None


class WriteCall(NamedTuple):
    """One output of a Calls plan: a call (`function`, arguments) or, with function None, a
    value."""

    name: str
    function: str | None
    arguments: tuple[Argument, ...]


class Calls(NamedTuple):
    """`SELECT remember(…), … [FROM …]`: functions that write, once a row of `source` (None: once).

    `types` has the logical type of each output that is a value, where the planner knows it.
    `silent`: it was a statement, such as CREATE USER, and gives no rows.
    """

    outputs: tuple[WriteCall, ...]
    source: Lite | Duck | None = None
    why: str = ""
    types: tuple[str | None, ...] | None = None
    silent: bool = False


class WriteTable(NamedTuple):
    """`SELECT … FROM merge_states(…) …`: a table function that writes, and a read over its rows.

    The read's text is `before`, the rows, `after`; its parameter ?n is the user's `slots[n - 1]`.
    """

    call: WriteCall
    before: str
    after: str
    slots: tuple[int | str, ...] = ()
    why: str = "functions that write are run by the writer"


class Fill(NamedTuple):
    """A write whose rows come from a DuckDB read: `INSERT … SELECT`, `CREATE TABLE … AS SELECT`.

    `insert` has one `?` a column of the source; with `create` the table is made first, from the
    types of the source's columns. `target` is the attached SQLite file whose table it is.
    """

    source: Duck
    insert: str
    create: str | None = None
    replace: bool = False
    table: str = ""
    target: str = ""
    atomic: bool = False  # what is read decides what is written: both in one transaction
    returning: Lite | None = None  # `insert` with a RETURNING, whose rows are the result
    functions: bool = False  # `insert` calls functions of ours


class Native(NamedTuple):
    """A write that DuckDB runs in the attached database `target`; `read` has its text and needs.

    `ddl`: it changes what tables there are.
    """

    read: Duck
    target: str
    ddl: bool = False
    why: str = ""


class Remote(NamedTuple):
    """A statement that an attached agent's file runs by itself, with its own functions."""

    sql: str
    source: str
    writes: bool = False
    why: str = ""


class Attach(NamedTuple):
    """`ATTACH path AS name (kind, options)`; the path may be a parameter (`slot`).

    `kind` is None where the file is to say it, `name` None for that of the file. `position` is
    where the path stands in the text.
    """

    path: str | None
    slot: int | str | None
    name: str | None
    kind: str | None
    options: tuple[tuple[str, Any], ...] = ()
    exists: bool = False
    position: int = 0


class Detach(NamedTuple):
    """`DETACH name`; `exists`: no error where there is none."""

    name: str
    exists: bool = False
    position: int = 0


class Databases(NamedTuple):
    """`SHOW DATABASES`, or `PRAGMA database_list` in SQLite's columns."""

    pragma: bool = False


class Import(NamedTuple):
    """`COPY table (columns) FROM path (options)`; `slot` is the parameter that holds the path."""

    table: str
    columns: tuple[str, ...]
    path: str | None
    slot: int | str | None
    options: dict[str, Any]
    position: int = 0


class Transaction(NamedTuple):
    """`verb` is begin, commit, rollback, savepoint, release or rollback_to; `name` a
    savepoint's."""

    verb: str
    name: str | None = None


class Setting(NamedTuple):
    """`SET name = value` (verb 'set'), `RESET name` ('reset'), `SHOW name` / `SHOW ALL`
    ('show')."""

    verb: str
    name: str | None = None
    value: Any = None


class Call(NamedTuple):
    """`CALL sync()`, `CALL rebuild('columns')`, `CALL check()`."""

    name: str
    arguments: tuple[Argument, ...] = ()


class CopyText(NamedTuple):
    """`COPY … TO` a file of a format that DuckDB has no writer for: the SELECT, and the path."""

    sql: str
    path: str


class Script(NamedTuple):
    """Several statements in one text, which dialect 'sqlite' allows: run one after the other.

    What one statement of PostgreSQL's becomes is `atomic`: all or none. `temporary` are the names
    of tables that it makes the connection's own, with their names in the file; None: no more.
    """

    parts: tuple[str, ...]
    temporary: tuple[tuple[str, str | None], ...] = ()
    atomic: bool = True


class Materialize(NamedTuple):
    """CREATE, DROP or REFRESH MATERIALIZED VIEW; `verb` in lower case.

    `view` is None where there is nothing to do: `unless` (IF NOT EXISTS) there is one, or with
    `definition` None, IF EXISTS and there is none.
    """

    verb: str
    name: str
    definition: Definition | None = None
    view: Materialized | None = None
    replace: bool = False
    unless: bool = False


class Explain(NamedTuple):
    """`EXPLAIN [ANALYZE] [(FORMAT json)] statement`; `sql` is the text of the statement."""

    plan: Any
    analyze: bool = False
    format: str = "text"
    sql: str = ""


class Rehearsal(NamedTuple):
    """`PLAN SELECT forget('ada')`: what it would do to memories; `sql` is the call's own text."""

    plan: Calls | WriteTable
    sql: str


class Define(NamedTuple):
    """What users define: `drop` is forgotten, `sql` run by SQLite, `definitions` kept; all or none.

    `drop` are pairs of a name and the kinds that go. `probe` is a read without rows that must work
    before anything is kept; its columns are those of a view. `temporary`: of the connection alone,
    where `replace` says that one may be there already.
    """

    definitions: tuple[Definition, ...] = ()
    drop: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sql: tuple[str, ...] = ()
    probe: Lite | Duck | None = None
    temporary: bool = False
    replace: bool = False
    why: str = "definitions are kept in the file"


class ColumnsWrite(NamedTuple):
    """A write into a table that is kept as columns: DuckDB makes rows, SQLite keeps their parts.

    `verb` is insert, update, delete or create. `sql` is DuckDB's statement over `NEW`, a temporary
    table with the rows in question (for create a SELECT); `tables` are what it reads. `where` is a
    SELECT of the parts that hold affected rows, None where all may; `sets` is `sql` with a row of
    the table SETS for each set of parameters. Of a create, `replace` says what happens to one
    that is there, and `columns` are given names.
    """

    table: str
    verb: str
    sql: str
    parameters: Slots = None
    tables: tuple[str, ...] = ()
    files: tuple[str | int, ...] = ()
    functions: bool = False
    where: tuple[str, Slots] | None = None
    sets: str | None = None
    replace: bool = False
    columns: tuple[str, ...] = ()
    why: str = "DuckDB makes the rows, and the file keeps them as parts"


class Merge(NamedTuple):
    """`MERGE INTO table`: `stage` puts what is to be done into temporary tables, `checked` finds a
    target row that is meant twice, `apply` does it; all SQLite's, in one transaction."""

    table: str
    stage: tuple[tuple[str, Slots], ...]
    apply: tuple[str, ...]
    checked: str | None = None
    why: str = "writes go to the file, by SQLite"


class Redefine(NamedTuple):
    """ALTER TABLE of what SQLite's does not alter: the `table`'s definition is written anew.

    `verb` is 'type' (of `column`, to `text`, each value becomes `using`), 'default' (`text` is the
    clause, '' for none), 'add' (the constraint `text`), 'drop' (the constraint `name`, which need
    not be there with `exists`) or 'rename' (from `name` to `text`).
    """

    table: str
    verb: str
    column: str = ""
    text: str = ""
    using: str = ""
    name: str = ""
    exists: bool = False
    why: str = ""


class SequenceChange(NamedTuple):
    """CREATE, ALTER or DROP SEQUENCE (`verb`) of `names`, with `options` by the names of columns of
    sqlagent_sequences; or 'fill': a column ('table', 'column') from a sequence. `exists`: it may be
    there, or not be there; `cascade`: what it fills is filled no more."""

    verb: str
    names: tuple[str, ...]
    options: tuple[tuple[str, int | str | None], ...] = ()
    exists: bool = False
    cascade: bool = False
    why: str = "sequences are kept in the file"


class WritingWith(NamedTuple):
    """A WITH that writes: `parts` are run in turn, in one transaction, and the last is the
    statement itself; all see what was there before it began, and each what those before it return.

    `shadow` is a text that gives the same columns and writes nothing, `rows` whether there are any.
    """

    parts: tuple[Part, ...]
    recursive: bool
    shadow: str
    rows: bool
    why: str = ""


class Plan(NamedTuple):
    """What a statement becomes: `run` is one of the above; `sql` the user's text."""

    sql: str
    run: (
        Lite | Duck | Calls | Fill | Import | Native | Remote | Attach | Detach | Databases
        | Transaction | Setting | Call | Explain | Script | Typed | Define | ColumnsWrite | Merge
        | Materialize | CopyText | WritingWith | Redefine
        | SequenceChange
    )  # fmt: skip
