"""The tour as data: each step's title, why, and statements."""

from __future__ import annotations

from typing import NamedTuple


class Plain(NamedTuple):
    """Statements of a plain SQLite client in another process; the last one's rows are shown."""

    statements: tuple[str, ...]


class Step(NamedTuple):
    """A part is a statement of ours, with FOLDER for the tour's folder, or the other client's."""

    title: str
    why: str
    parts: tuple[str | Plain, ...]


REVENUE = """\
SELECT region, count(*) AS orders, round(sum(amount), 2) AS revenue,
       round(median(amount), 2) AS median_order, max(ordered_at) AS newest
FROM orders JOIN customers USING (customer_id)
GROUP BY region ORDER BY revenue DESC"""

EVERYTHING = """\
WITH sales AS (
  SELECT region, sum(amount) AS revenue
  FROM orders JOIN customers USING (customer_id) GROUP BY region)
SELECT region, round(revenue) AS revenue, target, round(100 * revenue / target) AS percent,
       m.content AS what_mia_knows
FROM 'FOLDER/targets.parquet' JOIN sales USING (region)
LEFT JOIN memories AS m ON m.agent_id = 'mia' AND contains(m.content, region)
ORDER BY percent"""

SHOP = Step(
    "A business writes its orders, with a client of its own",
    "The shop is another process that speaks to the same file through Python's sqlite3. It knows"
    " nothing of this engine. The next statement here sees its rows, as columns on DuckDB.",
    (
        Plain((
            """\
CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, region TEXT NOT NULL)""",
            """\
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
  product TEXT NOT NULL, amount DOUBLE NOT NULL, ordered_at TIMESTAMP NOT NULL)""",
            "BEGIN",
            """\
INSERT INTO customers
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
SELECT i, 'customer ' || i,
  CASE WHEN i % 10 < 4 THEN 'North' WHEN i % 10 < 7 THEN 'East'
       WHEN i % 10 < 9 THEN 'South' ELSE 'West' END
FROM n""",
            """\
INSERT INTO orders
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
SELECT i, 1 + i * 7919 % 400,
  CASE i / 7 % 4 WHEN 0 THEN '龙井' WHEN 1 THEN '普洱' WHEN 2 THEN 'Assam' ELSE 'Sencha' END,
  (5.5 + i / 7 % 4 * 3) * (1 + i / 5 % 4),
  strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ((20001 - i) * 13) || ' minutes')
FROM n""",
            "COMMIT",
            "SELECT (SELECT count(*) FROM customers) AS customers, count(*) AS orders FROM orders",
        )),
        REVENUE,
    ),
)  # fmt: skip

MEMORIES = Step(
    "An agent remembers",
    "mia works for the shop. What she learns is a row of the table memories, by a function that"
    " returns its id or by a plain INSERT; both are embedded and indexed for words, in any script.",
    (
        """\
SELECT remember('mia', 'Ada Chen prefers jasmine tea and pays by invoice',
                kind => 'semantic', importance => 0.9) AS memory_id""",
        """\
SELECT remember('mia', '客户李雷喜欢喝龙井茶，每周五来取货',
                kind => 'semantic', importance => 0.8) AS memory_id""",
        """\
INSERT INTO memories (agent_id, kind, content) VALUES
  ('mia', 'episodic', 'A storm closed the road to the South depot for two weeks'),
  ('mia', 'episodic', 'North asked for larger tins'),
  ('mia', 'episodic', '下个月普洱涨价，要提前订货')""",
    ),
)

RECALL = Step(
    "… and recalls",
    "By meaning, by words and by how strong the memory still is, in one score. The model that ships"
    " in the package reads English; Chinese is found by its words.",
    (
        """\
SELECT memory_id, content, round(score, 2) AS score, round(similarity, 2) AS similarity
FROM recall('mia', 'what could I offer Ada to drink?', k => 2)""",
        """\
SELECT memory_id, content, round(score, 2) AS score, round(lexical, 2) AS lexical
FROM recall('mia', '谁喜欢龙井茶？', k => 2)""",
    ),
)

DOCUMENTS = Step(
    "Documents are indexed and asked",
    "The READMEs of the packages that were just installed are real Markdown and reStructuredText."
    " One statement reads the files, cuts them into chunks and indexes them.",
    (
        """\
SELECT index_document(content, uri => filename, title => parse_filename(filename, true),
                      collection => 'readmes') AS document_id,
       filename, length(content) AS characters
FROM read_text('FOLDER/readmes/*')""",
        "CALL sync()",
        """\
SELECT title, heading, content
FROM search('how do I translate a query from one SQL dialect to another?', k => 3)""",
        """\
SELECT title, heading, content
FROM search('print a table in colour on the terminal', k => 3, collection => 'readmes')""",
        "SELECT title, content FROM search('中文', k => 2, collection => 'readmes')",
    ),
)

JOIN = Step(
    "One statement over everything",
    "Targets come as a Parquet file. The agent's memories, the shop's live orders and that file are"
    " joined as if they were tables of one database.",
    (
        """\
COPY (SELECT * FROM (VALUES ('North', 150000), ('East', 125000), ('South', 105000), ('West', 40000))
      AS t (region, target)) TO 'FOLDER/targets.parquet'""",
        EVERYTHING,
    ),
)

DEPOT = Step(
    "Another database beside it",
    "The depot keeps its stock in a SQLite file of its own. Attached, it is one more schema;"
    " nothing of ours is written into it. A macro gives a formula a name, and is kept in the file.",
    (
        "ATTACH 'FOLDER/depot.db' AS depot (TYPE sqlite)",
        "CREATE TABLE depot.stock (product TEXT PRIMARY KEY, tins INTEGER)",
        """\
INSERT INTO depot.stock VALUES ('龙井', 900), ('普洱', 150), ('Assam', 700), ('Sencha', 40)""",
        "CREATE MACRO weeks_left(tins, sold, days) AS round(tins / (sold / days * 7), 1)",
        """\
SELECT product, tins, count(*) AS sold_in_30_days, weeks_left(tins, count(*), 30) AS weeks_left
FROM depot.stock JOIN orders USING (product)
WHERE ordered_at >= now() - INTERVAL 30 DAY
GROUP BY product, tins ORDER BY weeks_left""",
        "DETACH depot",
    ),
)

INSIGHT = Step(
    "What was found out is remembered",
    "An analysis is worth as much as who knows of it: its result goes back into memories, and the"
    " next recall finds it.",
    (
        """\
INSERT INTO memories (agent_id, kind, content, importance, source)
SELECT 'mia', 'semantic', region || ' is behind its target: '
       || CAST(round(100 * sum(amount) / any_value(target)) AS INTEGER) || '% of it was sold',
       0.9, 'orders and targets.parquet'
FROM orders JOIN customers USING (customer_id) JOIN 'FOLDER/targets.parquet' USING (region)
GROUP BY region HAVING sum(amount) < 0.9 * any_value(target)""",
        """\
SELECT memory_id, content, round(score, 2) AS score
FROM recall('mia', 'why is the South behind its target?', k => 2)""",
    ),
)

BURST = Step(
    "Meanwhile the shop goes on",
    "The other process writes again, and leaves the agent a note. No import, no refresh: the same"
    " statements, run again, have it.",
    (
        Plain((
            """\
INSERT INTO orders (customer_id, product, amount, ordered_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
SELECT 7 + i % 20 * 10, '普洱', 12.5, strftime('%Y-%m-%d %H:%M:%f', 'now') FROM n""",
            """\
INSERT INTO memories (agent_id, content, source)
VALUES ('mia', '李雷今天来电：龙井茶要改成每周三送货', 'phone')""",
            "SELECT count(*) AS orders FROM orders",
        )),
        REVENUE,
        "SELECT memory_id, content FROM recall('mia', '李雷哪天送货', k => 2)",
    ),
)  # fmt: skip

STATES = Step(
    "A state is versioned, and a mistake undone",
    "Each save is a version. Here a careless script in another process overwrites the state; what"
    " it was before can be read at its time, and a snapshot brings it back.",
    (
        """\
SELECT save_state('mia', '{"task": "spring order", "budget": 4000}',
                  state_type => 'task_state') AS version""",
        """\
SELECT save_state('mia', '{"task": "spring order", "budget": 5000, "teas": ["龙井", "普洱"]}',
                  state_type => 'task_state') AS version""",
        "SELECT snapshot('mia', 'before ordering') AS states",
        Plain((
            "UPDATE states SET data = '{\"task\": null}' WHERE agent_id = 'mia'",
            "SELECT version, data FROM states WHERE agent_id = 'mia'",
        )),
        "SELECT version, created_at, data FROM state_history('mia') ORDER BY version",
        """\
SELECT version, data
FROM state_at('mia', (SELECT created_at FROM state_versions
                      WHERE agent_id = 'mia' AND version = 2))""",
        "SELECT restore('mia', 'before ordering') AS states",
        "SELECT version, data ->> '$.budget' AS budget, data FROM states WHERE agent_id = 'mia'",
    ),
)  # fmt: skip

VECTORS = Step(
    "Vectors of your own",
    "Any vectors can be kept under ids of yours: here each tea as how floral, earthy and malty it"
    " tastes.",
    (
        """\
SELECT put_vector('teas', name, taste) AS id
FROM (VALUES ('龙井', [0.9, 0.1, 0.0]), ('普洱', [0.1, 0.9, 0.3]),
             ('Assam', [0.1, 0.3, 0.9]), ('Sencha', [0.8, 0.2, 0.1])) AS t (name, taste)""",
        """\
SELECT id, round(similarity, 3) AS similarity
FROM knn('teas', [1.0, 0.0, 0.0], k => 2)""",
    ),
)

PLANS = Step(
    "EXPLAIN says which engine runs what, and why",
    "A lookup stays on SQLite, where the rows are; an aggregate goes to DuckDB, over columns that"
    " follow the file.",
    (
        "EXPLAIN SELECT content FROM memories WHERE memory_id = 1",
        "EXPLAIN " + EVERYTHING,
        "EXPLAIN ANALYZE " + REVENUE,
    ),
)

CHECK = Step(
    "Is all of it whole?",
    "The file and everything that was derived from it are compared. Every function that you saw is"
    " listed in sqlagent_functions, with its reference.",
    (
        "CALL check()",
        "SELECT kind, count(*) AS functions FROM sqlagent_functions GROUP BY kind ORDER BY kind",
        """\
SELECT name, signature FROM sqlagent_functions
WHERE name IN ('remember', 'recall', 'search', 'state_at') ORDER BY name""",
    ),
)

STEPS = (
    SHOP, MEMORIES, RECALL, DOCUMENTS, JOIN, DEPOT, INSIGHT, BURST, STATES, VECTORS, PLANS, CHECK,
)  # fmt: skip
