// What programs do with pgx every day: each line says `ok what`, or `FAIL what: why`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var ctx = context.Background()

const uuidText = "7d444840-9dc0-11d1-b245-5ffdce74fad2"

func check(what string, err error) {
	if err != nil {
		fmt.Printf("FAIL %s: %v\n", what, err)
		return
	}
	fmt.Println("ok", what)
}

func same(got, want interface{}) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %#v, want %#v", got, want)
	}
	return nil
}

func state(err error) string {
	var found *pgconn.PgError
	if errors.As(err, &found) {
		return found.Code
	}
	return fmt.Sprint(err)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func ran(_ pgconn.CommandTag, err error) error { return err }

func tables(db *pgx.Conn) {
	check("drop", ran(db.Exec(ctx, `DROP TABLE IF EXISTS pgx_line; DROP TABLE IF EXISTS pgx_item`)))
	check("create", ran(db.Exec(ctx, `CREATE TABLE pgx_item (
		id bigserial PRIMARY KEY, name varchar(50) NOT NULL, price numeric(12,3), kinds text[], numbers int[],
		data jsonb, made timestamptz NOT NULL DEFAULT now(), day date, at timestamp, raw bytea,
		code uuid, ok boolean DEFAULT true, real8 double precision, small smallint)`)))
	check("create with a foreign key", ran(db.Exec(ctx, `CREATE TABLE pgx_line (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		item_id bigint NOT NULL REFERENCES pgx_item (id) ON DELETE CASCADE, n int CHECK (n > 0))`)))
	check("index", ran(db.Exec(ctx, `CREATE UNIQUE INDEX pgx_item_name ON pgx_item (name)`)))
}

func values(db *pgx.Conn) {
	var id int64
	var made time.Time
	now := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.FixedZone("", 8*3600))
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	var price pgtype.Numeric
	err := price.Set("-12345678.125")
	err = first(err, db.QueryRow(ctx, `INSERT INTO pgx_item (name, price, kinds, numbers, data, made, day, at, raw,
		code, ok, real8, small) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13) RETURNING id, made`,
		"茶 tea", &price, []string{"a,b", `q"`, "", "中文"}, []int32{1, -2}, map[string]interface{}{"k": []int{1}},
		now, day, day.Add(time.Hour), []byte{0, 1, 255}, uuidText, false, 1.5, int16(-7)).Scan(&id, &made))
	if err == nil && !made.Equal(now) {
		err = fmt.Errorf("made is %v", made)
	}
	check("insert returning", err)
	var name, code string
	var gotPrice pgtype.Numeric
	var kinds []string
	var numbers []int32
	var data map[string]interface{}
	var at, gotDay time.Time
	var raw []byte
	var ok bool
	var real float64
	var small int16
	err = db.QueryRow(ctx, `SELECT name, price, kinds, numbers, data, made, day, at, raw, code::text, ok, real8, small
		FROM pgx_item WHERE id = $1`, id).Scan(&name, &gotPrice, &kinds, &numbers, &data, &made, &gotDay, &at, &raw,
		&code, &ok, &real, &small)
	text, _ := gotPrice.EncodeText(nil, nil)
	check("all types back", first(err, same(name, "茶 tea"), same(kinds, []string{"a,b", `q"`, "", "中文"}),
		same(numbers, []int32{1, -2}), same(fmt.Sprint(data["k"]), "[1]"), same(gotDay.Equal(day), true),
		same(at.Equal(day.Add(time.Hour)), true), same(raw, []byte{0, 1, 255}), same(code, uuidText),
		same(ok, false), same(real, 1.5), same(small, int16(-7)), same(string(text), "-12345678125e-3")))
	var nothing *string
	var noArray []string
	var noDay *time.Time
	check("nulls", first(
		db.QueryRow(ctx, `INSERT INTO pgx_item (name, kinds, day, code) VALUES ($1, $2, $3, $4)
			RETURNING code::text, kinds, day`, "none", nil, nil, nil).Scan(&nothing, &noArray, &noDay),
		same(nothing == nil && noArray == nil && noDay == nil, true)))
	var count int
	check("any of an array", first(
		db.QueryRow(ctx, "SELECT count(*) FROM pgx_item WHERE id = ANY($1)", []int64{id, 99}).Scan(&count),
		same(count, 1)))
	check("any of texts", first(
		db.QueryRow(ctx, "SELECT count(*) FROM pgx_item WHERE name = ANY($1)", []string{"none"}).Scan(&count),
		same(count, 1)))
	check("json within", first(
		db.QueryRow(ctx, "SELECT count(*) FROM pgx_item WHERE data->'k' = $1::jsonb", "[1]").Scan(&count),
		same(count, 1)))
	var unnested []int32
	rows, err := db.Query(ctx, "SELECT x FROM unnest($1::int[]) AS x ORDER BY x DESC", []int32{3, 5})
	for err == nil && rows.Next() {
		var x int32
		err = rows.Scan(&x)
		unnested = append(unnested, x)
	}
	check("unnest a parameter", first(err, same(unnested, []int32{5, 3})))
	tag, err := db.Exec(ctx, `INSERT INTO pgx_item (name, price) SELECT * FROM unnest($1::text[], $2::numeric[])`,
		[]string{"u1", "u2"}, []string{"1.5", "2.5"})
	check("insert of unnested arrays", first(err, same(tag.RowsAffected(), int64(2))))
	tag, err = db.Exec(ctx, `INSERT INTO pgx_item (name, price) VALUES ('none', 2)
		ON CONFLICT (name) DO UPDATE SET price = EXCLUDED.price WHERE pgx_item.price IS NULL`)
	check("upsert", first(err, same(tag.String(), "INSERT 0 1")))
	tag, err = db.Exec(ctx, "UPDATE pgx_item SET small = $1 WHERE name = $2", 3, "none")
	check("update", first(err, same(tag.RowsAffected(), int64(1))))
	interval := 36 * time.Hour
	var later time.Time
	check("an interval", first(
		db.QueryRow(ctx, "SELECT $1::timestamptz + $2::interval", now, interval).Scan(&later),
		same(later.Equal(now.Add(interval)), true)))
}

func transactions(db *pgx.Conn) {
	err := db.BeginFunc(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO pgx_item (name) VALUES ('kept')")
		inner := tx.BeginFunc(ctx, func(nested pgx.Tx) error {
			_, err := nested.Exec(ctx, "INSERT INTO pgx_item (name) VALUES ('kept')")
			return err
		})
		return first(err, same(state(inner), "23505"))
	})
	check("a savepoint about a failure", err)
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly})
	if err == nil {
		_, failed := tx.Exec(ctx, "INSERT INTO pgx_item (name) VALUES ('no')")
		err = first(same(state(failed), "25006"), tx.Rollback(ctx))
	}
	check("read only", err)
	tx, err = db.Begin(ctx)
	if err == nil {
		_, _ = tx.Exec(ctx, "SELECT 1/0")
		_, failed := tx.Exec(ctx, "SELECT 1")
		err = first(same(state(failed), "25P02"), tx.Rollback(ctx))
	}
	check("a failed transaction", err)
	for what, found := range map[string]string{
		"SELEC 1": "42601", "SELECT nope FROM pgx_item": "42703", "SELECT * FROM nope": "42P01",
		"SELECT nope(1)": "42883", "INSERT INTO pgx_item (name) VALUES (NULL)": "23502",
		"INSERT INTO pgx_line (item_id, n) VALUES (987654, 1)":                     "23503",
		"INSERT INTO pgx_line (item_id, n) SELECT min(id), 0 FROM pgx_item":        "23514",
		"INSERT INTO pgx_item (name) VALUES ('none')":                             "23505",
		"SELECT 'x'::int": "22P02", "CREATE TABLE pgx_item (id int)": "42P07", "SELECT 1/0": "22012",
	} {
		_, err := db.Exec(ctx, what)
		check("error of "+what, same(state(err), found))
	}
	var failed *pgconn.PgError
	_, err = db.Exec(ctx, "INSERT INTO pgx_item (name) VALUES ('none')")
	errors.As(err, &failed)
	check("the fields of an error", first(same(failed.TableName, "pgx_item"), same(failed.ConstraintName, "pgx_item_name")))
}

func bulk(db *pgx.Conn) {
	rows := make([][]interface{}, 500)
	for i := range rows {
		rows[i] = []interface{}{fmt.Sprintf("行 %d", i), float64(i) / 2, i, []string{"x"}, time.Unix(int64(i), 0),
			[]byte{byte(i)}, i%2 == 0, map[string]interface{}{"i": i}}
	}
	count, err := db.CopyFrom(ctx, pgx.Identifier{"pgx_item"}, []string{
		"name", "real8", "small", "kinds", "made", "raw", "ok", "data"}, pgx.CopyFromRows(rows))
	var sum float64
	err = first(err, db.QueryRow(ctx, "SELECT sum(real8) FROM pgx_item WHERE name LIKE '行%'").Scan(&sum))
	check("copy", first(err, same(count, int64(500)), same(sum, 62375.0)))
	batch := &pgx.Batch{}
	for i := 0; i < 20; i++ {
		batch.Queue("INSERT INTO pgx_item (name, small) VALUES ($1, $2) RETURNING id", fmt.Sprint("b", i), i)
	}
	batch.Queue("SELECT count(*) FROM pgx_item WHERE name LIKE 'b%'")
	results := db.SendBatch(ctx, batch)
	var id int64
	var n int
	for i := 0; i < 20 && err == nil; i++ {
		err = results.QueryRow().Scan(&id)
	}
	check("a batch", first(err, results.QueryRow().Scan(&n), results.Close(), same(n, 20)))
	batch = &pgx.Batch{}
	batch.Queue("INSERT INTO pgx_item (name) VALUES ('lost')")
	batch.Queue("SELECT 1/0")
	failed := db.SendBatch(ctx, batch).Close()
	err = db.QueryRow(ctx, "SELECT count(*) FROM pgx_item WHERE name = 'lost'").Scan(&n)
	check("a batch that fails is undone", first(err, same(state(failed), "22012"), same(n, 0)))
	_, err = db.Prepare(ctx, "by", "SELECT name FROM pgx_item WHERE small = $1 AND ok = $2 LIMIT $3")
	var name string
	check("prepared", first(err, db.QueryRow(ctx, "by", 0, true, 1).Scan(&name), db.Deallocate(ctx, "by")))
	tx, err := db.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "DECLARE walk CURSOR FOR SELECT name FROM pgx_item ORDER BY id")
		found, asked := tx.Query(ctx, "FETCH 7 FROM walk")
		n = 0
		for asked == nil && found.Next() {
			n++
		}
		err = first(err, asked, same(n, 7), tx.Commit(ctx))
	}
	check("a cursor", err)
}

func sessions(db *pgx.Conn) {
	_, err := db.Exec(ctx, "LISTEN pgx_news")
	pool, failed := pgxpool.Connect(ctx, "pool_max_conns=3 sslmode=prefer")
	err = first(err, failed)
	if err == nil {
		_, err = pool.Exec(ctx, "SELECT pg_notify($1, $2)", "pgx_news", "你好")
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		told, waited := db.WaitForNotification(limited)
		err = first(err, waited)
		if err == nil {
			err = first(same(told.Channel, "pgx_news"), same(told.Payload, "你好"))
		}
	}
	check("listen and notify", err)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	_, err = pool.Exec(short, "SELECT pg_sleep(20)")
	cancel()
	var one int
	check("cancelled", first(same(err != nil, true), pool.QueryRow(ctx, "SELECT 1").Scan(&one)))
	_, _ = db.Exec(ctx, "SET statement_timeout = '50ms'")
	_, err = db.Exec(ctx, "SELECT pg_sleep(20)")
	check("a statement's time", same(state(err), "57014"))
	_, _ = db.Exec(ctx, "RESET statement_timeout")
	simple := "INSERT INTO pgx_item (name, day) VALUES ($1, $2)"
	_, err = db.Exec(ctx, simple, pgx.QuerySimpleProtocol(true), "it's simple \\ 'quoted'", time.Unix(0, 0))
	var name string
	err = first(err, db.QueryRow(ctx, "SELECT name FROM pgx_item WHERE name LIKE 'it''s%'").Scan(&name))
	check("the simple protocol", first(err, same(strings.HasSuffix(name, "'quoted'"), true)))
	_, err = db.Exec(ctx, "SELECT remember($1, $2)", "pgx", "Grace likes green tea.")
	var content string
	var score float64
	err = first(err, db.QueryRow(ctx, "SELECT content, score FROM recall($1, $2, k => 1)", "pgx", "tea").Scan(
		&content, &score))
	if os.Getenv("PGPORT") != "6002" {
		check("remember and recall", first(err, same(content, "Grace likes green tea.")))
	}
	pool.Close()
}

func main() {
	db, err := pgx.Connect(ctx, "")
	check("connect", err)
	defer db.Close(ctx)
	tables(db)
	values(db)
	transactions(db)
	bulk(db)
	sessions(db)
	check("drop again", ran(db.Exec(ctx, "DROP TABLE pgx_line; DROP TABLE pgx_item")))
}
