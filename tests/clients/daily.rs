// What programs do with tokio-postgres every day: `ok what` for each, or `FAIL what: why`.
use bytes::BytesMut;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use futures_util::{future, pin_mut, stream, SinkExt, StreamExt, TryStreamExt};
use std::fmt::Debug;
use std::time::Duration;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{AsyncMessage, Client, Config, IsolationLevel, NoTls, Row, SimpleQueryMessage};
use uuid::Uuid;

type Done = Result<(), Box<dyn std::error::Error>>;

fn check(what: &str, done: Done) {
    match done {
        Ok(()) => println!("ok {what}"),
        Err(error) => println!("FAIL {what}: {error:?}"),
    }
}

fn same<T: PartialEq + Debug>(got: T, want: T) -> Done {
    if got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}").into()) }
}

fn config() -> Config {
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    let mut config = Config::new();
    config.host(&said("PGHOST")).port(said("PGPORT").parse().unwrap_or(5432));
    config.dbname(&said("PGDATABASE")).user(&said("PGUSER")).password(said("PGPASSWORD"));
    config
}

async fn values(db: &Client) -> Done {
    let made: DateTime<Utc> = Utc.timestamp_opt(1_714_979_289, 123_456_000).unwrap();
    let at: NaiveDateTime = made.naive_utc();
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let code = Uuid::parse_str("7d444840-9dc0-11d1-b245-5ffdce74fad2")?;
    let kinds = vec![Some("a,b"), Some("\""), None, Some("中文")];
    let data = Json(vec![1, 2]);
    let row: Row = db
        .query_one(
            "INSERT INTO rs_item (name, kinds, data, made, at, day, raw, code, ok, f, big) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *",
            &[&"茶", &kinds, &data, &made, &at, &day, &&[0u8, 255][..], &code, &true, &1.5f64, &i64::MAX],
        )
        .await?;
    same(row.get::<_, String>("name"), "茶".to_string())?;
    same(row.get::<_, Vec<Option<String>>>("kinds"), kinds.iter().map(|k| k.map(str::to_string)).collect())?;
    same(row.get::<_, Json<Vec<i32>>>("data").0, vec![1, 2])?;
    same(row.get::<_, DateTime<Utc>>("made"), made)?;
    same(row.get::<_, NaiveDateTime>("at"), at)?;
    same(row.get::<_, NaiveDate>("day"), day)?;
    same(row.get::<_, Vec<u8>>("raw"), vec![0, 255])?;
    same(row.get::<_, Uuid>("code"), code)?;
    same((row.get::<_, bool>("ok"), row.get::<_, f64>("f"), row.get::<_, i64>("big")), (true, 1.5, i64::MAX))?;
    let none: Option<NaiveDate> = db
        .query_one("INSERT INTO rs_item (name, day) VALUES ('n', $1) RETURNING day", &[&None::<NaiveDate>])
        .await?
        .get(0);
    same(none, None)?;
    let count: i64 = db
        .query_one("SELECT count(*) FROM rs_item WHERE name = ANY($1) AND made >= $2", &[&vec!["茶", "x"], &made])
        .await?
        .get(0);
    same(count, 1)?;
    let many = "INSERT INTO rs_item (name, f) SELECT * FROM unnest($1::text[], $2::float8[])";
    same(db.execute(many, &[&vec!["u1", "u2"], &vec![1.0, 2.0]]).await?, 2)
}

async fn prepared(db: &Client) -> Done {
    let typed = db.prepare_typed("SELECT $1::int4 + 1, $2", &[Type::INT4, Type::TEXT]).await?;
    same(typed.params().to_vec(), vec![Type::INT4, Type::TEXT])?;
    let row = db.query_one(&typed, &[&41i32, &"x"]).await?;
    same((row.get::<_, i32>(0), row.get::<_, &str>(1)), (42, "x"))?;
    let by = db.prepare("SELECT name FROM rs_item WHERE name = $1").await?;
    let names = ["茶", "n", "u1"];
    let all = future::try_join_all(names.iter().map(|n| async { db.query_one(&by, &[n]).await })).await?;
    same(all.iter().map(|r| r.get::<_, String>(0)).collect::<Vec<_>>(), names.map(String::from).to_vec())?;
    let rows = db.query_raw("SELECT n FROM generate_series(1, $1::int8) AS n", &[&500i64]).await?;
    pin_mut!(rows);
    let mut total = 0;
    while let Some(row) = rows.try_next().await? {
        total += row.get::<_, i64>(0);
    }
    same(total, 125_250)?;
    let said = db.simple_query("SELECT 1 AS a; SELECT NULL AS b; SELECT 'x' AS c WHERE false").await?;
    let rows = said.iter().filter(|m| matches!(m, SimpleQueryMessage::Row(_))).count();
    same((rows, said.len()), (2, 5))
}

async fn transactions(db: &mut Client) -> Done {
    let mut outer = db.transaction().await?;
    outer.execute("INSERT INTO rs_item (name) VALUES ('kept')", &[]).await?;
    let inner = outer.savepoint("one").await?;
    let failed = inner.execute("INSERT INTO rs_item (name) VALUES ('kept')", &[]).await.unwrap_err();
    same(failed.code(), Some(&SqlState::UNIQUE_VIOLATION))?;
    same(failed.as_db_error().and_then(|e| e.constraint()), Some("rs_item_name_key"))?;
    inner.rollback().await?;
    let portal = outer.bind("SELECT n FROM generate_series(1, 25) AS n", &[]).await?;
    same(outer.query_portal(&portal, 10).await?.len(), 10)?;
    same(outer.query_portal(&portal, 0).await?.len(), 15)?;
    outer.commit().await?;
    let reading = db.build_transaction().isolation_level(IsolationLevel::Serializable).read_only(true).start().await?;
    let failed = reading.execute("DELETE FROM rs_item", &[]).await.unwrap_err();
    same(failed.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION))?;
    reading.rollback().await?;
    let undone = db.transaction().await?;
    undone.execute("DELETE FROM rs_item", &[]).await?;
    drop(undone); // which rolls it back
    same(db.query_one("SELECT count(*) > 0 FROM rs_item", &[]).await?.get::<_, bool>(0), true)
}

async fn copies(db: &Client) -> Done {
    let sink = db.copy_in("COPY rs_item (name, f, made, kinds) FROM STDIN BINARY").await?;
    let writer = BinaryCopyInWriter::new(sink, &[Type::VARCHAR, Type::FLOAT8, Type::TIMESTAMPTZ, Type::TEXT_ARRAY]);
    pin_mut!(writer);
    for n in 0..300 {
        let (name, made) = (format!("行{n}"), Utc.timestamp_opt(n, 0).unwrap());
        writer.as_mut().write(&[&name, &(n as f64), &made, &vec!["x"]]).await?;
    }
    same(writer.finish().await?, 300)?;
    let sink = db.copy_in("COPY rs_item (name, f) FROM STDIN").await?;
    pin_mut!(sink);
    sink.send(BytesMut::from(&b"t1\t1\nt2\t\\N\n"[..]).freeze()).await?;
    same(sink.finish().await?, 2)?;
    let out = db.copy_out("COPY (SELECT name, f FROM rs_item WHERE name LIKE '行%' ORDER BY f) TO STDOUT BINARY").await?;
    let rows = BinaryCopyOutStream::new(out, &[Type::VARCHAR, Type::FLOAT8]);
    let rows: Vec<_> = rows.try_collect().await?;
    same((rows.len(), rows[299].get::<&str>(0).to_string()), (300, "行299".to_string()))
}

async fn errors(db: &Client) -> Done {
    for (sql, state) in [
        ("SELEC 1", SqlState::SYNTAX_ERROR), ("SELECT nope FROM rs_item", SqlState::UNDEFINED_COLUMN),
        ("SELECT * FROM nope", SqlState::UNDEFINED_TABLE), ("SELECT 1/0", SqlState::DIVISION_BY_ZERO),
        ("INSERT INTO rs_item (name) VALUES (NULL)", SqlState::NOT_NULL_VIOLATION),
        ("SELECT 'x'::int", SqlState::INVALID_TEXT_REPRESENTATION),
    ] {
        same(db.query(sql, &[]).await.err().and_then(|e| e.code().cloned()), Some(state))?;
    }
    let canceller = db.cancel_token();
    let slow = db.query("SELECT pg_sleep(30)", &[]);
    let cancel = async {
        loop { // a cancel that comes before its query is none
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _ = canceller.cancel_query(NoTls).await;
        }
    };
    pin_mut!(slow, cancel);
    match future::select(slow, cancel).await {
        future::Either::Left((failed, _)) => {
            same(failed.err().and_then(|e| e.code().cloned()), Some(SqlState::QUERY_CANCELED))
        }
        future::Either::Right((never, _)) => never,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let (mut db, mut connection) = config().connect(NoTls).await?;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(note) = message {
                let _ = tell.send(note);
            }
        }
    });
    db.batch_execute(
        "DROP TABLE IF EXISTS rs_item; CREATE TABLE rs_item (id bigserial PRIMARY KEY, \
         name varchar(50) NOT NULL UNIQUE, kinds text[], data jsonb, made timestamptz DEFAULT now(), \
         at timestamp, day date, raw bytea, code uuid, ok boolean, f double precision, big bigint)",
    )
    .await?;
    check("values", values(&db).await);
    check("prepared statements", prepared(&db).await);
    check("transactions", transactions(&mut db).await);
    check("copies", copies(&db).await);
    check("errors", errors(&db).await);
    db.batch_execute("LISTEN rs_news; NOTIFY rs_news, '你好'").await?;
    let note = tokio::time::timeout(Duration::from_secs(5), told.recv()).await?.ok_or("nothing told")?;
    check("notifications", same((note.channel(), note.payload()), ("rs_news", "你好")));
    db.batch_execute("DROP TABLE rs_item").await?;
    Ok(())
}
