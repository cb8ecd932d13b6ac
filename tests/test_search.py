"""search(): chunks of documents, by words and meaning; documents that change, move and go."""

from __future__ import annotations

import pytest

import sqlagent

FERRY = (
    "# Ferry\n\nThe night ferry to Skagen leaves at eleven. Bring a passport.\n\n"
    "## Food\n\nThere is soup on board."
)
TEA = "杭州的茶园在春天开放。游客可以参加采茶活动。"


@pytest.fixture
def library(words: sqlagent.Connection) -> sqlagent.Connection:
    """Two documents in two collections and languages."""
    words.execute(
        "SELECT index_document(?, uri => 'ferry.md', title => 'Ferries', collection => 'papers', "
        "metadata => '{\"topic\": \"travel\", \"year\": 2026}')", (FERRY,)
    )  # fmt: skip
    words.execute(
        "SELECT index_document(?, uri => 'tea.md', title => '茶园', collection => '茶')", (TEA,)
    )
    return words


def test_columns(library: sqlagent.Connection) -> None:
    cursor = library.execute("SELECT * FROM search('ferry Skagen')")
    names = [c[0] for c in cursor.description or []]
    assert " ".join(names) == (
        "chunk_id document_id ordinal content score similarity lexical uri title heading position"
    )
    row = dict(zip(names, cursor.fetchone() or (), strict=True))
    assert row["uri"] == "ferry.md" and row["title"] == "Ferries" and "Skagen" in row["content"]
    assert row["similarity"] is None and row["lexical"] == 1.0
    assert FERRY[row["position"] :].startswith(row["content"])


def test_each_collection_alone_and_all(library: sqlagent.Connection) -> None:
    find = "SELECT DISTINCT uri FROM search('ferry 采茶'{}) ORDER BY uri"
    assert library.execute(find.format("")).fetchall() == [("ferry.md",), ("tea.md",)]
    assert library.execute(find.format(", collection => 'papers'")).fetchall() == [("ferry.md",)]
    assert library.execute(find.format(", collection => '茶'")).fetchall() == [("tea.md",)]
    with pytest.raises(sqlagent.ProgrammingError, match='unknown collection "paper"') as caught:
        library.execute(find.format(", collection => 'paper'"))
    assert "papers" in (caught.value.hint or "")


@pytest.mark.parametrize("query", ["采茶", "茶园", "春天", "杭州的茶园"])
def test_chinese(library: sqlagent.Connection, query: str) -> None:
    assert library.execute("SELECT uri FROM search(?, k => 1)", (query,)).fetchall() == [
        ("tea.md",)
    ]


def test_alpha(con: sqlagent.Connection) -> None:
    con.execute("SELECT index_document('The vessel departs at eleven.', uri => 'meaning')")
    con.execute(
        "SELECT index_document('A boat is on the boat poster of the boat club.', uri => 'words')"
    )
    find = "SELECT uri, similarity, lexical FROM search('when does the boat leave', alpha => {})"
    lexical = con.execute(find.format(0)).fetchall()
    assert [r[0] for r in lexical] == ["words"] and lexical[0][1] is None
    vectors = con.execute(find.format(1)).fetchall()
    assert vectors[0][0] == "meaning" and -1 <= vectors[0][1] <= 1
    assert {r[0] for r in con.execute(find.format(0.5)).fetchall()} == {"meaning", "words"}
    for wrong in (-0.1, 1.1):
        with pytest.raises(sqlagent.DataError, match="alpha is a number from 0 to 1"):
            con.execute(find.format(wrong)).fetchall()
    con.execute("SET search_alpha = 0")
    assert con.execute("SELECT uri FROM search('boat')").fetchall() == [("words",)]


@pytest.mark.parametrize(
    ("condition", "uris"),
    [
        ("(metadata->>'$.topic') = 'travel'", {"ferry.md"}),
        ("(metadata->>'topic') = 'travel'", {"ferry.md"}),
        ("uri LIKE 'tea%'", {"tea.md"}),
        ("uri LIKE 'TEA%'", set()),
        ("uri ILIKE 'TEA%'", {"tea.md"}),
        ("collection IN ('papers', '茶')", {"ferry.md", "tea.md"}),
        ("heading IS NOT NULL", {"ferry.md"}),
        ("title = '茶园' AND ordinal = 0", {"tea.md"}),
        ("metadata IS NULL", {"tea.md"}),
        ("CAST(metadata->>'$.year' AS INTEGER) / 2 = 1013", {"ferry.md"}),
        ("created_at > '2020-01-01T00:00:00Z'", {"ferry.md", "tea.md"}),
        ("created_at > '2099-01-01'", set()),
        ("content LIKE '%;%' OR 1 = 1", {"ferry.md", "tea.md"}),
        ("length(content) > 5 -- and no more", {"ferry.md", "tea.md"}),
    ],
)
def test_filters(library: sqlagent.Connection, condition: str, uris: set[str]) -> None:
    sql = "SELECT DISTINCT uri FROM search('ferry soup 采茶', filter => ?)"
    assert {u for (u,) in library.execute(sql, (condition,))} == uris


def test_a_filter_applies_before_the_ranking(words: sqlagent.Connection) -> None:
    for n in range(80):
        words.execute("SELECT index_document(?, metadata => ?)", (f"tea note {n}", {"n": n}))
    sql = "SELECT content FROM search('tea', k => 3, filter => '(metadata->>''$.n'')::INT >= 77')"
    assert {c for (c,) in words.execute(sql)} == {f"tea note {n}" for n in (77, 78, 79)}


def test_the_same_uri_replaces_and_keeps_its_number(library: sqlagent.Connection) -> None:
    sql = "SELECT index_document(?, uri => 'ferry.md', collection => 'papers')"
    (ident,) = library.execute(
        "SELECT document_id FROM documents WHERE uri = 'ferry.md'"
    ).fetchone()
    assert library.execute(sql, ("Trains go every hour.",)).fetchone() == (ident,)
    assert library.execute("SELECT content FROM search('trains ferry')").fetchall() == [
        ("Trains go every hour.",)
    ]
    other = "SELECT index_document('x', uri => 'ferry.md', collection => 'elsewhere')"
    assert library.execute(other).fetchone() != (ident,)


def test_plain_inserts_updates_and_deletes(library: sqlagent.Connection) -> None:
    library.execute("INSERT INTO documents (uri, content) VALUES ('p.md', 'The piano is tuned.')")
    find = "SELECT content FROM search('piano violin')"
    assert library.execute(find).fetchall() == [("The piano is tuned.",)]
    library.execute("UPDATE documents SET content = 'The violin is tuned.' WHERE uri = 'p.md'")
    assert library.execute(find).fetchall() == [("The violin is tuned.",)]
    library.execute("UPDATE documents SET title = 'Orchestra' WHERE uri = 'p.md'")
    assert library.execute("SELECT uri FROM search('orchestra')").fetchall() == [("p.md",)]
    library.execute("UPDATE documents SET collection = 'music' WHERE uri = 'p.md'")
    sql = "SELECT uri FROM search('violin', collection => 'music')"
    assert library.execute(sql).fetchall() == [("p.md",)]
    library.execute("DELETE FROM documents WHERE uri = 'p.md'")
    assert library.execute(find).fetchall() == []
    assert library.execute("SELECT count(*) FROM chunks").fetchone()[0] >= 2


@pytest.mark.parametrize("path", ["file", ":memory:"])
def test_pending_documents_are_found_at_once(fresh_db: object, path: str) -> None:
    con = sqlagent.connect(
        str(fresh_db) if path == "file" else path, embedding_model="none", timeout=3
    )
    for n in range(120):
        con.execute("INSERT INTO documents (content) VALUES (?)", (f"Word{n} is in it.",))
    assert con.execute("SELECT content FROM search('word119')").fetchall() == [
        ("Word119 is in it.",)
    ]
    con.execute("BEGIN")
    con.execute("INSERT INTO documents (content) VALUES ('Uncommitted pelican.')")
    assert con.execute("SELECT content FROM search('pelican')").fetchall() == [
        ("Uncommitted pelican.",)
    ]
    con.execute("ROLLBACK")
    assert con.execute("SELECT content FROM search('pelican')").fetchall() == []
    con.close()


def test_what_the_words_find_has_its_vector_first() -> None:
    con = sqlagent.connect(":memory:")  # where no vector is made in the background
    for n in range(300):
        con.execute("INSERT INTO documents (content) VALUES (?)", (f"Word{n} is in it.",))
    sql = "SELECT content, similarity FROM search('word299', 1)"
    [(content, similarity)] = con.execute(sql).fetchall()
    assert content == "Word299 is in it." and similarity is not None
    for n in range(300):
        con.execute(
            "INSERT INTO memories (agent_id, content, session_id) VALUES ('ada', ?, ?)",
            (f"Soup number {n} was good.", "last" if n == 299 else "first"),
        )
    sql = "SELECT content, similarity FROM recall('ada', 'soup', 1, session_id => 'last')"
    [(content, similarity)] = con.execute(sql).fetchall()
    assert content == "Soup number 299 was good." and similarity is not None
    con.close()


def test_chunks_are_slices_with_their_overlaps(words: sqlagent.Connection) -> None:
    text = " ".join(f"Sentence number {n} says a little." for n in range(300))
    for size, overlap in ((100, 20), (512, 50), (40, 0)):
        words.execute(
            "SELECT index_document(?, uri => 'a', chunk_size => ?, overlap => ?)",
            (text, size, overlap),
        )
        rows = words.execute(
            "SELECT position, content, overlap_prev FROM chunks ORDER BY ordinal"
        ).fetchall()
        assert "".join(content[prev:] for _, content, prev in rows) == text
        assert all(text[p : p + len(c)] == c and len(c) <= size for p, c, _ in rows)
    words.execute("UPDATE documents SET chunk_size = 60, overlap = 0")
    words.execute("CALL sync()")
    assert words.execute("SELECT max(length(content)) FROM chunks").fetchone()[0] <= 60


def test_an_empty_document_has_no_chunks(words: sqlagent.Connection) -> None:
    assert words.execute("SELECT index_document('', uri => 'e')").fetchone() == (1,)
    assert words.execute("SELECT count(*) FROM chunks").fetchone() == (0,)
    assert words.execute("SELECT * FROM search('anything')").fetchall() == []


def test_chunks_keep_their_vectors_where_their_text_stays(con: sqlagent.Connection) -> None:
    one = "The first paragraph speaks of boats at length and in detail, so it is one chunk.\n\n"
    two = "The second paragraph speaks of trains at length and in detail; it is another chunk.\n\n"
    sql = "SELECT index_document(?, uri => 'a', chunk_size => 100, overlap => 0)"
    con.execute(sql, (one + two,))
    con.execute("CALL sync()").fetchall()
    (made,) = con.execute("SELECT count(*) FROM chunk_vectors").fetchone()
    assert made == 2
    con.execute(sql, (one + two.replace("trains", "planes"),))
    assert con.execute("SELECT count(*) FROM chunk_vectors").fetchone() == (1,)


def test_rebuild_text_gives_the_same(library: sqlagent.Connection) -> None:
    library.execute("SELECT remember('ada', '客户王芳喜欢喝龙井茶')")
    queries = (
        "SELECT content FROM search('采茶 ferry')",
        "SELECT content FROM recall('ada', '龙井')",
    )
    truth = [library.execute(q).fetchall() for q in queries]
    library.execute("DELETE FROM memories_fts")
    assert [r for r in library.execute("CALL check()").fetchall() if not r[1]]
    library.execute("CALL rebuild('text')")
    assert [r for r in library.execute("CALL check()").fetchall() if not r[1]] == []
    assert [library.execute(q).fetchall() for q in queries] == truth
