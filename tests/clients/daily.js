// What programs do every day with the drivers, builders and mappers of Node: `node daily.js knex`
// says `ok what` for each thing that works, `FAIL what: why` else.
const assert = require("node:assert/strict");

const url = () => {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
  return `postgres://${PGUSER}:${encodeURIComponent(PGPASSWORD)}@${PGHOST}:${PGPORT}/${PGDATABASE}`;
};
const given = () => ({
  host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER,
  password: process.env.PGPASSWORD, database: process.env.PGDATABASE,
});

async function check(what, run) {
  try {
    await run();
    console.log("ok", what);
  } catch (error) {
    console.log(`FAIL ${what}: ${error.stack.split("\n").slice(0, 16).join(" | ")} ${error.query ?? error.sql ?? ""}`);
  }
}
const fails = (state, run) =>
  assert.rejects(run, (error) => {
    assert.equal(error.code ?? error.cause?.code ?? error.original?.code ?? error.nativeError?.code, state);
    return true;
  });
const COLUMNS = `id bigserial PRIMARY KEY, name varchar(60) NOT NULL UNIQUE, price numeric(10,2),
  kinds text[], data jsonb, made timestamptz DEFAULT now(), raw bytea, ok boolean DEFAULT false,
  code uuid, day date, n integer`;
const WHEN = new Date("2024-05-06T07:08:09.123Z");

async function collect(stream) {
  const found = [];
  for await (const row of stream) found.push(row);
  return found;
}

const clients = {
  async pg() {
    const { Pool, Client } = require("pg");
    const Cursor = require("pg-cursor");
    const QueryStream = require("pg-query-stream");
    const copy = require("pg-copy-streams");
    const { pipeline } = require("node:stream/promises");
    const { Readable } = require("node:stream");
    const pool = new Pool(given());
    const db = await pool.connect();
    await db.query("DROP TABLE IF EXISTS js_pg");
    await db.query(`CREATE TABLE js_pg (${COLUMNS})`);
    await check("pg values", async () => {
      const code = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
      const { rows } = await db.query(
        "INSERT INTO js_pg (name, price, kinds, data, made, raw, ok, code, day, n) " +
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *",
        ["茶", 12.5, ["a,b", '"', null], { k: [1] }, WHEN, Buffer.from([0, 255]), true, code, "2024-02-29", 7],
      );
      const [row] = rows;
      assert.deepEqual([row.name, row.price, row.kinds, row.data, row.made, row.ok, row.code], [
        "茶", "12.50", ["a,b", '"', null], { k: [1] }, WHEN, true, code]);
      assert.ok(row.raw.equals(Buffer.from([0, 255])) && row.id === "1");
    });
    await check("pg cursor", async () => {
      const cursor = db.query(new Cursor("SELECT * FROM generate_series(1, $1) AS n", [250]));
      assert.equal((await cursor.read(100)).length, 100);
      assert.equal((await cursor.read(200)).length, 150);
      await cursor.close();
    });
    await check("pg query stream", async () => {
      const rows = await collect(db.query(new QueryStream("SELECT n FROM generate_series(1, 500) n", [], { batchSize: 50 })));
      assert.equal(rows.length, 500);
    });
    await check("pg copy", async () => {
      const into = db.query(copy.from("COPY js_pg (name, n, kinds) FROM STDIN WITH (FORMAT csv)"));
      await pipeline(Readable.from(["行1,1,\"{a,b}\"\n", "行2,2,\n"]), into);
      const out = await collect(db.query(copy.to("COPY (SELECT name, kinds FROM js_pg ORDER BY id) TO STDOUT")));
      assert.equal(Buffer.concat(out).toString(), '茶\t{"a,b","\\\\"",NULL}\n行1\t{a,b}\n行2\t\\N\n');
    });
    await check("pg errors", async () => {
      await fails("23505", () => db.query("INSERT INTO js_pg (name) VALUES ('茶')"));
      await fails("42P01", () => db.query("SELECT * FROM nope"));
      await fails("22P02", () => db.query("SELECT * FROM js_pg WHERE n = $1", ["x"]));
    });
    await check("pg named statements", async () => {
      for (const n of [1, 2]) {
        const found = await db.query({ name: "one", text: "SELECT name FROM js_pg WHERE n = $1", values: [n], rowMode: "array" });
        assert.deepEqual(found.rows, [[`行${n}`]]);
      }
    });
    await check("pg notify", async () => {
      const other = new Client(given());
      await other.connect();
      await db.query("LISTEN js_news");
      const told = new Promise((resolve) => db.once("notification", resolve));
      await other.query("SELECT pg_notify('js_news', $1)", ["你好"]);
      assert.equal((await told).payload, "你好");
      await other.end();
    });
    await db.query("DROP TABLE js_pg");
    db.release();
    await pool.end();
  },

  async postgres() {
    const sql = require("postgres")({ ...given(), onnotice: () => {} });
    await check("postgres.js table", async () => {
      await sql`DROP TABLE IF EXISTS js_post`;
      await sql.unsafe(`CREATE TABLE js_post (${COLUMNS})`);
    });
    await check("postgres.js insert helpers", async () => {
      const rows = [
        { name: "茶", price: "1.50", kinds: ["a"], data: sql.json({ a: 1 }), made: WHEN, n: 1 },
        { name: "二", price: null, kinds: [], data: null, made: WHEN, n: 2 },
      ];
      const found = await sql`INSERT INTO js_post ${sql(rows)} RETURNING id, name, kinds, data, made`;
      assert.deepEqual(found.map((r) => [r.name, r.kinds, r.data, r.made]), [
        ["茶", ["a"], { a: 1 }, WHEN], ["二", [], null, WHEN]]);
      const changed = await sql`UPDATE js_post SET ${sql({ n: 5, ok: true })} WHERE name = ${"茶"} RETURNING n, ok`;
      assert.deepEqual([Number(changed[0].n), changed[0].ok], [5, true]);
    });
    await check("postgres.js lists", async () => {
      const found = await sql`SELECT name FROM js_post WHERE name IN ${sql(["茶", "x"])} AND n = ANY(${[5, 6]})`;
      assert.equal(found[0].name, "茶");
      const many = await sql`UPDATE js_post SET n = v.n::int FROM (VALUES ${sql([["二", 9]])}) AS v (name, n)
        WHERE js_post.name = v.name RETURNING js_post.n`;
      assert.equal(Number(many[0].n), 9);
    });
    await check("postgres.js transactions", async () => {
      await sql.begin(async (tx) => {
        await tx`INSERT INTO js_post (name) VALUES ('kept')`;
        await fails("23505", () => tx.savepoint((inner) => inner`INSERT INTO js_post (name) VALUES ('kept')`));
        const both = await Promise.all([tx`SELECT 1 AS a`, tx`SELECT 2 AS a`]);
        assert.deepEqual(both.map((r) => r[0].a), [1, 2]);
      });
      const [{ count }] = await sql`SELECT count(*)::int FROM js_post WHERE name = 'kept'`;
      assert.equal(count, 1);
    });
    await check("postgres.js cursor", async () => {
      let total = 0;
      await sql`SELECT n FROM generate_series(1, 95) AS n`.cursor(10, (rows) => { total += rows.length; });
      assert.equal(total, 95);
    });
    await check("postgres.js copy", async () => {
      const into = await sql`COPY js_post (name, n) FROM STDIN`.writable();
      await new Promise((done, failed) => { into.on("finish", done).on("error", failed); into.write("c1\t1\n"); into.end("c2\t2\n"); });
      const out = await collect(await sql`COPY (SELECT name FROM js_post WHERE name LIKE 'c%' ORDER BY 1) TO STDOUT`.readable());
      assert.equal(Buffer.concat(out).toString(), "c1\nc2\n");
    });
    await check("postgres.js notify", async () => {
      let hear;
      const told = new Promise((resolve) => { hear = resolve; });
      const listening = await sql.listen("js_news", hear);
      await sql.notify("js_news", "hello 世界");
      assert.equal(await told, "hello 世界");
      await listening.unlisten();
    });
    await check("postgres.js describe and cancel", async () => {
      const about = await sql`SELECT name, n FROM js_post WHERE n = ${1}`.describe();
      assert.deepEqual(about.columns.map((c) => c.name), ["name", "n"]);
      const slow = sql`SELECT pg_sleep(30)`.execute();
      setTimeout(() => slow.cancel(), 200);
      await fails("57014", () => slow);
    });
    await sql`DROP TABLE js_post`;
    await sql.end();
  },

  async "pg-promise"() {
    const pgp = require("pg-promise")({ noWarnings: true });
    const db = pgp(given());
    await db.none(`DROP TABLE IF EXISTS js_prom; CREATE TABLE js_prom (${COLUMNS})`);
    await check("pg-promise helpers", async () => {
      const set = new pgp.helpers.ColumnSet(["name", "n", { name: "kinds", cast: "text[]" }, { name: "data", mod: ":json" }, "made", "ok"], { table: "js_prom" });
      const rows = [{ name: "茶's \\", n: 1, kinds: ["a'b"], data: { a: "'" }, made: WHEN, ok: true }, { name: "二", n: null, kinds: [], data: null, made: null, ok: false }];
      const found = await db.many(pgp.helpers.insert(rows, set) + " RETURNING *");
      assert.deepEqual([found[0].name, found[0].kinds, found[0].data, found[0].made, found[0].ok], ["茶's \\", ["a'b"], { a: "'" }, WHEN, true]);
      const update = pgp.helpers.update([{ name: "二", n: 8 }], ["?name", "n"], "js_prom") + " WHERE v.name = t.name";
      assert.equal((await db.result(update)).rowCount, 1);
      assert.equal(await db.one("SELECT n FROM js_prom WHERE name = ${name}", { name: "二" }, (r) => Number(r.n)), 8);
    });
    await check("pg-promise tasks", async () => {
      await db.tx(async (t) => {
        await t.none("INSERT INTO js_prom (name) VALUES ($1)", "in");
        await fails("23505", () => t.tx((u) => u.none("INSERT INTO js_prom (name) VALUES ($1)", "in")));
        assert.equal((await t.any("SELECT * FROM $1:name WHERE name IN ($2:csv)", ["js_prom", ["in", "x"]])).length, 1);
      });
      const many = await db.multi("SELECT 1 AS a; SELECT 2 AS b");
      assert.deepEqual(many, [[{ a: 1 }], [{ b: 2 }]]);
    });
    await db.none("DROP TABLE js_prom");
    await pgp.end();
  },

  async knex() {
    const knex = require("knex")({ client: "pg", connection: given(), migrations: { migrationSource: {
      getMigrations: async () => ["one", "two"], getMigrationName: (m) => m,
      getMigration: async (m) => m === "one" ? {
        up: async (k) => {
          await k.schema.createTable("js_knex_user", (t) => {
            t.increments("id"); t.string("email").notNullable().unique(); t.jsonb("data"); t.boolean("ok").defaultTo(false);
            t.decimal("price", 10, 2); t.timestamps(true, true); t.uuid("code").defaultTo(k.fn.uuid()); t.specificType("tags", "text[]");
            t.enu("mood", ["sad", "ok"]).defaultTo("ok"); t.text("note").index(); t.binary("raw"); t.date("day"); t.bigInteger("big"); t.float("f");
          });
          await k.schema.createTable("js_knex_post", (t) => {
            t.bigIncrements("id"); t.integer("user_id").unsigned().notNullable().references("id").inTable("js_knex_user").onDelete("CASCADE");
            t.string("title", 100).notNullable(); t.index(["user_id", "title"], "js_knex_post_both");
          });
        }, down: async (k) => { await k.schema.dropTable("js_knex_post"); await k.schema.dropTable("js_knex_user"); },
      } : {
        up: (k) => k.schema.alterTable("js_knex_post", (t) => { t.integer("score").notNullable().defaultTo(0); t.renameColumn("title", "headline"); t.dropIndex(["user_id", "title"], "js_knex_post_both"); }),
        down: (k) => k.schema.alterTable("js_knex_post", (t) => { t.dropColumn("score"); t.renameColumn("headline", "title"); t.index(["user_id", "title"], "js_knex_post_both"); }),
      },
    } } });
    await check("knex migrates", async () => {
      await knex.migrate.latest();
      assert.ok(await knex.schema.hasTable("js_knex_user") && await knex.schema.hasColumn("js_knex_post", "score"));
      assert.equal((await knex("js_knex_user").columnInfo()).email.type, "character varying");
    });
    await check("knex builds", async () => {
      const [{ id }] = await knex("js_knex_user").insert({ email: "a@b", data: { a: 1 }, tags: ["x", "茶"], price: 1.25 }).returning("*");
      await knex("js_knex_user").insert([{ email: "c@d" }, { email: "e@f", ok: true }]);
      await knex("js_knex_user").insert({ email: "a@b", ok: true }).onConflict("email").merge(["ok"]);
      const row = await knex("js_knex_user").where({ email: "a@b" }).first();
      assert.deepEqual([row.data, row.tags, row.price, row.ok, row.mood], [{ a: 1 }, ["x", "茶"], "1.25", true, "ok"]);
      await knex.transaction(async (trx) => {
        await trx("js_knex_post").insert({ user_id: id, headline: "h" });
        await fails("23505", () => trx.transaction((inner) => inner("js_knex_user").insert({ email: "a@b" })));
        await trx("js_knex_user").where({ id }).forUpdate().first();
      });
      const joined = await knex("js_knex_user as u").leftJoin("js_knex_post as p", "p.user_id", "u.id").select("u.email", knex.raw("count(p.id)::int as n")).groupBy("u.email").orderBy("u.email");
      assert.deepEqual(joined.map((r) => r.n), [1, 0, 0]);
      assert.equal((await knex("js_knex_user").whereJsonPath("data", "$.a", "=", 1).count())[0].count, "1");
      assert.equal((await collect(knex("js_knex_user").stream())).length, 3);
      assert.equal((await knex("js_knex_user").whereIn("email", ["a@b", "c@d"]).whereILike("email", "A%").pluck("email"))[0], "a@b");
      await fails("23514", () => knex("js_knex_user").insert({ email: "z", mood: "angry" }));
      assert.equal(await knex("js_knex_user").where({ id }).del(), 1);
      assert.equal((await knex("js_knex_post").count())[0].count, "0");
    });
    await check("knex rolls back", async () => {
      await knex.migrate.rollback({}, true);
      assert.ok(!(await knex.schema.hasTable("js_knex_user")));
      await knex.schema.dropTable("knex_migrations").dropTable("knex_migrations_lock");
    });
    await knex.destroy();
  },

  async objection() {
    const knex = require("knex")({ client: "pg", connection: given() });
    const { Model, UniqueViolationError } = require("objection");
    Model.knex(knex);
    class Pet extends Model { static tableName = "js_obj_pet"; }
    class Person extends Model {
      static tableName = "js_obj_person";
      static jsonAttributes = ["data"];
      static relationMappings = { pets: { relation: Model.HasManyRelation, modelClass: Pet, join: { from: "js_obj_person.id", to: "js_obj_pet.ownerId" } } };
    }
    await check("objection", async () => {
      await knex.schema.dropTableIfExists("js_obj_pet").dropTableIfExists("js_obj_person");
      await knex.schema.createTable("js_obj_person", (t) => { t.increments(); t.string("name").unique(); t.json("data"); });
      await knex.schema.createTable("js_obj_pet", (t) => { t.increments(); t.string("name"); t.integer("ownerId").references("js_obj_person.id"); });
      const made = await Person.query().insertGraphAndFetch({ name: "王", data: { a: [1] }, pets: [{ name: "猫" }, { name: "dog" }] });
      assert.equal(made.pets.length, 2);
      await made.$query().patch({ name: "李" });
      const found = await Person.query().withGraphJoined("pets").findById(made.id);
      assert.deepEqual([found.name, found.data, found.pets.map((p) => p.name).sort()], ["李", { a: [1] }, ["dog", "猫"]]);
      await assert.rejects(() => Person.query().insert({ name: "李" }), (e) => e instanceof UniqueViolationError && e.columns.length >= 0);
      await Person.query().upsertGraph({ id: made.id, pets: [{ id: made.pets[0].id, name: "new" }] });
      assert.equal(await Pet.query().resultSize(), 1);
      await knex.schema.dropTable("js_obj_pet").dropTable("js_obj_person");
    });
    await knex.destroy();
  },

  async sequelize() {
    const { Sequelize, DataTypes, Op, UniqueConstraintError } = require("sequelize");
    const db = new Sequelize(url(), { logging: false });
    const User = db.define("js_seq_user", {
      email: { type: DataTypes.STRING, unique: true, allowNull: false }, data: DataTypes.JSONB, tags: DataTypes.ARRAY(DataTypes.TEXT),
      price: DataTypes.DECIMAL(10, 2), ok: { type: DataTypes.BOOLEAN, defaultValue: true }, day: DataTypes.DATEONLY, at: DataTypes.DATE,
      code: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4 }, raw: DataTypes.BLOB, big: DataTypes.BIGINT, f: DataTypes.DOUBLE,
    }, { indexes: [{ fields: ["day", "ok"] }] });
    const Post = db.define("js_seq_post", { title: DataTypes.TEXT });
    User.hasMany(Post, { onDelete: "CASCADE" });
    Post.belongsTo(User);
    await check("sequelize syncs", async () => { await db.authenticate(); await db.sync({ force: true }); });
    await check("sequelize models", async () => {
      const user = await User.create({ email: "a@b", data: { a: { b: "茶" } }, tags: ["x'", "y"], price: "3.25", day: "2024-02-29", at: WHEN, raw: Buffer.from([1, 0, 255]), big: "9007199254740993", js_seq_posts: [{ title: "one" }] }, { include: [Post] });
      await user.reload({ include: [Post] });
      assert.deepEqual([user.data, user.tags, user.price, user.day, user.at, user.big, user.js_seq_posts.length, [...user.raw]], [{ a: { b: "茶" } }, ["x'", "y"], "3.25", "2024-02-29", WHEN, "9007199254740993", 1, [1, 0, 255]]);
      await User.bulkCreate([{ email: "c" }, { email: "d", ok: false }]);
      await User.upsert({ email: "c", ok: false });
      assert.equal(await User.count({ where: { ok: false } }), 2);
      assert.equal((await User.findAll({ where: { email: { [Op.in]: ["a@b", "d"] }, [Op.or]: [{ ok: true }, { price: { [Op.gt]: 100 } }] } })).length, 1);
      assert.equal((await User.findOne({ where: { "data.a.b": "茶" } }))?.email, "a@b");
      assert.equal((await User.findOne({ where: { tags: { [Op.contains]: ["y"] } } }))?.email, "a@b");
      const [found, made] = await User.findCreateFind({ where: { email: "new" }, defaults: { ok: true } });
      assert.ok(made && found.id);
      await assert.rejects(() => User.create({ email: "c" }), UniqueConstraintError);
      await db.transaction(async (t) => {
        await user.increment("f", { by: 2, transaction: t });
        await User.update({ price: 9 }, { where: { email: "c" }, transaction: t, returning: true });
        await User.findOne({ where: { email: "c" }, lock: t.LOCK.UPDATE, transaction: t });
      });
      const page = await User.findAndCountAll({ include: [{ model: Post, required: false }], limit: 2, offset: 1, order: [["email", "DESC"]], distinct: true });
      assert.equal(page.count, 4);
      await user.destroy();
      assert.equal(await Post.count(), 0);
    });
    await check("sequelize reflects", async () => {
      const query = db.getQueryInterface();
      const about = await query.describeTable("js_seq_users");
      assert.ok(about.id.primaryKey && about.email.allowNull === false && about.tags.type === "ARRAY");
      assert.ok((await query.showAllTables()).includes("js_seq_users"));
      assert.ok((await query.showIndex("js_seq_users")).some((i) => i.fields.length === 2));
      await query.addColumn("js_seq_posts", "score", { type: DataTypes.INTEGER, defaultValue: 3, allowNull: false });
      await query.renameColumn("js_seq_posts", "score", "points");
      await query.addIndex("js_seq_posts", ["title"]);
      await query.removeColumn("js_seq_posts", "points");
    });
    await check("sequelize alters", async () => { await db.sync({ alter: true }); });
    await check("sequelize drops", async () => { await db.drop(); });
    await db.close();
  },

  async kysely() {
    const { Kysely, PostgresDialect, sql, Migrator } = require("kysely");
    const { Pool } = require("pg");
    const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool(given()), cursor: require("pg-cursor") }) });
    const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ one: {
      up: async (k) => { await k.schema.createTable("js_ky").addColumn("id", "serial", (c) => c.primaryKey()).addColumn("name", "varchar(50)", (c) => c.notNull().unique())
        .addColumn("data", "jsonb").addColumn("made", "timestamptz", (c) => c.defaultTo(sql`now()`).notNull()).addColumn("n", "integer", (c) => c.defaultTo(1)).execute();
        await k.schema.createIndex("js_ky_n").on("js_ky").column("n").execute(); },
      down: async (k) => { await k.schema.dropTable("js_ky").execute(); },
    } }) } });
    await check("kysely migrates", async () => {
      const { error } = await migrator.migrateToLatest();
      if (error) throw error;
      assert.ok((await db.introspection.getTables()).find((t) => t.name === "js_ky").columns.some((c) => c.name === "id" && c.isAutoIncrementing));
    });
    await check("kysely builds", async () => {
      const row = await db.insertInto("js_ky").values({ name: "茶", data: JSON.stringify({ a: 1 }) }).returningAll().executeTakeFirstOrThrow();
      assert.deepEqual([row.name, row.data, Number(row.n)], ["茶", { a: 1 }, 1]);
      await db.insertInto("js_ky").values([{ name: "x", n: 2 }, { name: "y", n: 3 }]).onConflict((oc) => oc.column("name").doUpdateSet({ n: (eb) => eb.ref("excluded.n") })).execute();
      const found = await db.selectFrom("js_ky").select((eb) => ["name", eb.fn.count("id").over((ob) => ob.partitionBy("n")).as("c")]).where("n", "in", [2, 3]).orderBy("name").execute();
      assert.deepEqual(found, [{ name: "x", c: "1" }, { name: "y", c: "1" }]);
      const up = await db.updateTable("js_ky").set((eb) => ({ n: eb("n", "+", 1) })).where("name", "=", "x").executeTakeFirst();
      assert.equal(up.numUpdatedRows, 1n);
      const { jsonArrayFrom } = require("kysely/helpers/postgres");
      const nested = await db.selectFrom("js_ky as a").select((eb) => ["a.name", jsonArrayFrom(eb.selectFrom("js_ky as b").select(["b.name", "b.n"]).whereRef("b.n", "=", "a.n").orderBy("b.id")).as("kids")]).where("a.name", "=", "x").executeTakeFirst();
      assert.equal(nested.kids.length, 2);
      await db.transaction().setIsolationLevel("serializable").execute((trx) => trx.deleteFrom("js_ky").where("name", "=", "y").execute());
      let streamed = 0;
      for await (const _ of db.selectFrom("js_ky").selectAll().stream(1)) streamed++;
      assert.ok(streamed >= 2);
    });
    await check("kysely rolls back", async () => {
      const { error } = await migrator.migrateDown();
      if (error) throw error;
      await db.schema.dropTable("kysely_migration").execute();
      await db.schema.dropTable("kysely_migration_lock").execute();
    });
    await db.destroy();
  },

  async drizzle() {
    const { drizzle } = require("drizzle-orm/node-postgres");
    const { pgTable, serial, text, integer, jsonb, timestamp, boolean, numeric, uuid, varchar } = require("drizzle-orm/pg-core");
    const { eq, sql, relations, inArray, desc } = require("drizzle-orm");
    const { Pool } = require("pg");
    const pool = new Pool(given());
    const users = pgTable("js_dz_user", { id: serial("id").primaryKey(), name: varchar("name", { length: 50 }).notNull().unique(), data: jsonb("data"), made: timestamp("made", { withTimezone: true }).defaultNow(), at: timestamp("at"), ok: boolean("ok").default(true), price: numeric("price", { precision: 10, scale: 2 }), tags: text("tags").array(), code: uuid("code").defaultRandom() });
    const posts = pgTable("js_dz_post", { id: serial("id").primaryKey(), title: text("title"), userId: integer("user_id").references(() => users.id, { onDelete: "cascade" }) });
    const schema = { users, posts, usersRelations: relations(users, ({ many }) => ({ posts: many(posts) })), postsRelations: relations(posts, ({ one }) => ({ user: one(users, { fields: [posts.userId], references: [users.id] }) })) };
    const db = drizzle(pool, { schema });
    await check("drizzle tables", async () => {
      await db.execute(sql`DROP TABLE IF EXISTS js_dz_post; DROP TABLE IF EXISTS js_dz_user`);
      await db.execute(sql`CREATE TABLE IF NOT EXISTS "js_dz_user" ("id" serial PRIMARY KEY NOT NULL, "name" varchar(50) NOT NULL, "data" jsonb, "made" timestamp with time zone DEFAULT now(), "at" timestamp, "ok" boolean DEFAULT true, "price" numeric(10, 2), "tags" text[], "code" uuid DEFAULT gen_random_uuid(), CONSTRAINT "js_dz_user_name_unique" UNIQUE("name"))`);
      await db.execute(sql`CREATE TABLE "js_dz_post" ("id" serial PRIMARY KEY NOT NULL, "title" text, "user_id" integer REFERENCES "js_dz_user"("id") ON DELETE cascade)`);
    });
    await check("drizzle builds", async () => {
      const [made] = await db.insert(users).values({ name: "茶", data: { a: 1 }, at: WHEN, price: "2.50", tags: ["a", "b c"] }).returning();
      assert.deepEqual([made.name, made.data, made.at, made.price, made.tags, made.ok], ["茶", { a: 1 }, WHEN, "2.50", ["a", "b c"], true]);
      await db.insert(posts).values([{ title: "one", userId: made.id }, { title: "two", userId: made.id }]);
      await db.insert(users).values({ name: "茶", ok: false }).onConflictDoUpdate({ target: users.name, set: { ok: false } });
      const found = await db.select().from(users).leftJoin(posts, eq(posts.userId, users.id)).where(inArray(users.name, ["茶"])).orderBy(desc(posts.id));
      assert.deepEqual(found.map((r) => r.js_dz_post.title), ["two", "one"]);
      const nested = await db.query.users.findMany({ with: { posts: { limit: 5, columns: { title: true } } } });
      assert.deepEqual(nested[0].posts.map((p) => p.title).sort(), ["one", "two"]);
      const one = await db.query.posts.findFirst({ with: { user: true } });
      assert.equal(one.user.name, "茶");
      await db.transaction(async (tx) => {
        await tx.update(users).set({ price: sql`${users.price} + 1` }).where(eq(users.id, made.id));
        await assert.rejects(() => tx.transaction((inner) => inner.insert(users).values({ name: "茶" })));
      });
      assert.equal((await db.select({ n: sql`count(*)::int` }).from(posts))[0].n, 2);
      await db.delete(users).where(eq(users.id, made.id));
      assert.equal(await db.$count(posts), 0);
    });
    await db.execute(sql`DROP TABLE js_dz_post; DROP TABLE js_dz_user`);
    await pool.end();
  },

  async typeorm() {
    require("reflect-metadata");
    const { DataSource, EntitySchema, In } = require("typeorm");
    const User = new EntitySchema({ name: "js_to_user", columns: {
      id: { type: "int", primary: true, generated: true }, email: { type: "varchar", length: 100, unique: true }, data: { type: "jsonb", nullable: true },
      tags: { type: "text", array: true, default: [] }, price: { type: "numeric", precision: 10, scale: 2, nullable: true }, made: { type: "timestamptz", createDate: true },
      seen: { type: "timestamp", nullable: true }, ok: { type: "boolean", default: true }, raw: { type: "bytea", nullable: true }, key: { type: "uuid", generated: "uuid" } },
      relations: { posts: { type: "one-to-many", target: "js_to_post", inverseSide: "user", cascade: true } } });
    const Post = new EntitySchema({ name: "js_to_post", columns: { id: { type: "int", primary: true, generated: true }, title: { type: "varchar" } },
      relations: { user: { type: "many-to-one", target: "js_to_user", inverseSide: "posts", onDelete: "CASCADE" } } });
    const db = new DataSource({ type: "postgres", host: process.env.PGHOST, port: Number(process.env.PGPORT), username: process.env.PGUSER, password: process.env.PGPASSWORD, database: process.env.PGDATABASE, entities: [User, Post], uuidExtension: "pgcrypto" });
    await check("typeorm connects", () => db.initialize());
    if (!db.isInitialized) return;
    await check("typeorm syncs", async () => { await db.synchronize(false); });
    await check("typeorm syncs again", async () => {
      const left = (await db.driver.createSchemaBuilder().log()).upQueries.map((q) => q.query).filter((q) => /js_to/.test(q));
      assert.deepEqual(left, []);
    });
    await check("typeorm entities", async () => {
      const users = db.getRepository("js_to_user");
      const made = await users.save({ email: "a@b", data: { a: "茶" }, tags: ["x"], price: "1.50", seen: WHEN, raw: Buffer.from([0, 255]), posts: [{ title: "one" }, { title: "two" }] });
      const found = await users.findOne({ where: { id: made.id }, relations: { posts: true } });
      assert.deepEqual([found.data, found.tags, found.price, found.seen, found.posts.length, found.ok], [{ a: "茶" }, ["x"], "1.50", WHEN, 2, true]);
      await users.upsert([{ email: "a@b", ok: false }, { email: "c", ok: true }], ["email"]);
      assert.equal(await users.count({ where: { ok: In([false]) } }), 1);
      const [rows, count] = await users.createQueryBuilder("u").leftJoinAndSelect("u.posts", "p").where("u.email LIKE :e", { e: "a%" }).orderBy("u.id").skip(0).take(5).getManyAndCount();
      assert.ok(count === 1 && rows[0].posts.length === 2);
      await fails("23505", () => users.insert({ email: "c" }));
      await db.transaction(async (m) => { await m.update("js_to_user", { email: "c" }, { ok: false }); await m.getRepository("js_to_user").remove(found); });
      assert.equal(await db.getRepository("js_to_post").count(), 0);
    });
    await check("typeorm drops", async () => { await db.query("DROP TABLE js_to_post, js_to_user CASCADE"); });
    await db.destroy();
  },

  async slonik() {
    const { createPool, sql, UniqueIntegrityConstraintViolationError } = require("slonik");
    const db = await createPool(url());
    await check("slonik", async () => {
      await db.query(sql.unsafe`DROP TABLE IF EXISTS js_slonik`);
      await db.query(sql.unsafe`CREATE TABLE js_slonik (id serial PRIMARY KEY, name text UNIQUE, n int, data jsonb, made timestamptz)`);
      await db.query(sql.unsafe`INSERT INTO js_slonik (name, n) SELECT * FROM ${sql.unnest([["茶", 1], ["b", 2]], ["text", "int4"])}`);
      assert.deepEqual(await db.anyFirst(sql.unsafe`SELECT name FROM js_slonik WHERE n = ANY(${sql.array([1, 2], "int4")}) ORDER BY n`), ["茶", "b"]);
      assert.equal(Number(await db.oneFirst(sql.unsafe`INSERT INTO js_slonik (name, data, made) VALUES ('c', ${sql.jsonb({ a: 1 })}, ${sql.timestamp(WHEN)}) RETURNING id`)), 3);
      assert.equal(await db.oneFirst(sql.unsafe`SELECT made FROM js_slonik WHERE name = 'c'`), WHEN.getTime());
      await assert.rejects(() => db.query(sql.unsafe`INSERT INTO js_slonik (name) VALUES ('c')`), UniqueIntegrityConstraintViolationError);
      await db.transaction(async (t) => { await t.query(sql.unsafe`DELETE FROM js_slonik WHERE (name, n) IN (${sql.join([sql.fragment`(${"b"}, ${2}::int4)`], sql.fragment`, `)})`); });
      assert.equal(await db.oneFirst(sql.unsafe`SELECT count(*)::int FROM js_slonik`), 2);
      await db.query(sql.unsafe`DROP TABLE js_slonik`);
    });
    await db.end();
  },

  async "mikro-orm"() {
    const { MikroORM, EntitySchema } = require("@mikro-orm/postgresql");
    const Book = new EntitySchema({ name: "JsMikroBook", tableName: "js_mikro_book", properties: { id: { type: "number", primary: true }, title: { type: "string" }, author: { kind: "m:1", entity: "JsMikroAuthor", deleteRule: "cascade" } } });
    const Author = new EntitySchema({ name: "JsMikroAuthor", tableName: "js_mikro_author", properties: { id: { type: "number", primary: true }, name: { type: "string", unique: true }, data: { type: "json", nullable: true }, made: { type: "Date", defaultRaw: "now()" }, ok: { type: "boolean", default: true }, tags: { type: "array", nullable: true }, price: { type: "decimal", precision: 10, scale: 2, nullable: true }, books: { kind: "1:m", entity: "JsMikroBook", mappedBy: "author" } } });
    const orm = await MikroORM.init({ ...given(), dbName: process.env.PGDATABASE, entities: [Author, Book], allowGlobalContext: true, discovery: { warnWhenNoEntities: false } });
    const made = orm.schema;
    await check("mikro-orm creates", async () => { await made.execute((await made.getCreateSchemaSQL({ wrap: false })).replace(/set names.*?;/, "")); });
    await check("mikro-orm sees no difference", async () => {
      assert.equal((await made.getUpdateSchemaSQL({ safe: true, dropTables: false })).split("\n").filter((l) => /js_mikro/.test(l)).join("\n"), "");
    });
    await check("mikro-orm entities", async () => {
      const em = orm.em.fork();
      const author = em.create("JsMikroAuthor", { name: "王", data: { a: 1 }, tags: ["x", "y"], price: "1.50", books: [{ title: "一" }, { title: "二" }] });
      await em.flush();
      const found = await orm.em.fork().findOneOrFail("JsMikroAuthor", { id: author.id }, { populate: ["books"] });
      assert.deepEqual([found.name, found.data, found.tags, found.price, found.books.length], ["王", { a: 1 }, ["x", "y"], "1.50", 2]);
      await em.transactional(async (tx) => { author.name = "李"; await tx.flush(); });
      await em.upsertMany("JsMikroAuthor", [{ name: "李", ok: false }, { name: "z", ok: true }]);
      assert.equal(await em.count("JsMikroAuthor", { ok: true }), 1);
      await em.nativeDelete("JsMikroAuthor", { name: "李" });
      assert.equal(await em.count("JsMikroBook"), 0);
    });
    await check("mikro-orm drops", async () => { await made.execute("drop table if exists js_mikro_book cascade; drop table if exists js_mikro_author cascade"); });
    await orm.close();
  },
};

clients[process.argv[2]]().then(() => process.exit(0), (error) => {
  console.log(`FAIL ${process.argv[2]}: ${error.stack}`);
  process.exit(0);
});
