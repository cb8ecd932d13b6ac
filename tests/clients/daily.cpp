// What programs do with libpqxx every day: `ok what`, or `FAIL what: why`.
#include <functional>
#include <iostream>
#include <pqxx/pqxx>

static void check(const std::string &what, const std::function<void()> &run) {
  try {
    run();
    std::cout << "ok " << what << "\n";
  } catch (const std::exception &error) {
    std::cout << "FAIL " << what << ": " << error.what() << "\n";
  }
}

template <class A, class B> static void same(const A &got, const B &want) {
  if (!(got == want)) throw std::runtime_error("another value than wanted");
}

static void pqxx_daily() {
  pqxx::connection db;
  check("libpqxx tables", [&] {
    pqxx::work all(db);
    all.exec("DROP TABLE IF EXISTS cpp_pqxx");
    all.exec("CREATE TABLE cpp_pqxx (id serial PRIMARY KEY, name text UNIQUE, raw bytea, n numeric(8,2), tags text[])");
    all.commit();
  });
  check("libpqxx values", [&] {
    db.prepare("put", "INSERT INTO cpp_pqxx (name, raw, n, tags) VALUES ($1, $2, $3, $4) RETURNING id");
    pqxx::work all(db);
    const pqxx::binarystring raw(std::string("\0\xff", 2));
    auto row = all.exec_prepared("put", "茶", raw, "1.25", "{a,\"b c\"}")[0];
    same(row[0].as<int>(), 1);
    auto found = all.exec_params("SELECT raw, n, tags, NULL::int FROM cpp_pqxx WHERE name = $1", "茶")[0];
    same(pqxx::binarystring(found[0]).str(), std::string("\0\xff", 2));
    same(found[1].as<double>(), 1.25);
    auto items = found[2].as_array();
    items.get_next();
    same(items.get_next().second, std::string("a"));
    same(items.get_next().second, std::string("b c"));
    same(found[3].is_null(), true);
    same(found[1].type(), pqxx::oid(1700));
    all.commit();
  });
  check("libpqxx subtransactions", [&] {
    pqxx::work all(db);
    try {
      pqxx::subtransaction part(all, "part");
      part.exec("INSERT INTO cpp_pqxx (name) VALUES ('茶')");
    } catch (const pqxx::unique_violation &error) {
      same(error.sqlstate(), std::string("23505"));
    }
    all.exec("INSERT INTO cpp_pqxx (name) VALUES ('" + all.esc("it's") + "')");
    all.commit();
  });
  check("libpqxx streams", [&] {
    pqxx::work all(db);
    pqxx::stream_to into(all, "cpp_pqxx", std::vector<std::string>{"name", "n"});
    for (int n = 0; n < 100; n++) into << std::make_tuple("行" + std::to_string(n), n);
    into.complete();
    same(all.exec("SELECT count(*) FROM cpp_pqxx")[0][0].as<int>(), 102);
    all.commit();
  });
  check("libpqxx cursors", [&] {
    pqxx::work all(db);
    pqxx::icursorstream rows(all, "SELECT n FROM generate_series(1, 25) AS n", "some", 10);
    pqxx::result part;
    size_t total = 0;
    while (rows >> part) total += part.size();
    same(total, size_t(25));
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> back(
        all, "SELECT n FROM generate_series(1, 25) AS n", "back", false);
    same(back.retrieve(20, 25)[0][0].as<int>(), 21);
    same(back.size(), size_t(25));
  });
  check("libpqxx pipeline", [&] {
    pqxx::work all(db);
    pqxx::pipeline line(all);
    auto one = line.insert("SELECT 1"), two = line.insert("SELECT 2");
    same(line.retrieve(two)[0][0].as<int>() - line.retrieve(one)[0][0].as<int>(), 1);
    line.complete();
  });
  check("libpqxx errors", [&] {
    pqxx::nontransaction all(db);
    try {
      all.exec("SELECT * FROM nope");
    } catch (const pqxx::undefined_table &) {
    }
    all.exec("DROP TABLE cpp_pqxx");
  });
}

int main() { pqxx_daily(); }
