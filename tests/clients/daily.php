<?php
// What programs do every day with PDO, pgsql and Doctrine: `ok what`, or `FAIL what: why`.
error_reporting(E_ALL & ~E_DEPRECATED);
mb_internal_encoding("UTF-8");

function check(string $what, callable $run): void {
    try {
        $run();
        echo "ok $what\n";
    } catch (\Throwable $error) {
        $where = basename($error->getFile()) . ":" . $error->getLine();
        echo "FAIL $what: " . get_class($error) . " " . $error->getMessage() . " $where\n";
    }
}

function same(mixed $got, mixed $want): void {
    if ($got !== $want) {
        throw new Exception("got " . var_export($got, true) . ", want " . var_export($want, true));
    }
}

function refused(string $kind, callable $run): void {
    try {
        $run();
    } catch (\Throwable $error) {
        if ($error instanceof $kind) {
            return;
        }
        throw $error;
    }
    throw new Exception("nothing was refused, not a $kind");
}

function pdo(): void {
    $db = new PDO("pgsql:", getenv("PGUSER"), getenv("PGPASSWORD"), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    check("PDO", function () use ($db) {
        $db->exec("DROP TABLE IF EXISTS php_pdo");
        $db->exec("CREATE TABLE php_pdo (id serial PRIMARY KEY, name text UNIQUE, ok boolean, raw bytea, n numeric(8,2), day date)");
        $put = $db->prepare("INSERT INTO php_pdo (name, ok, raw, n, day) VALUES (:name, :ok, :raw, :n, :day) RETURNING id");
        $put->bindValue("name", "茶");
        $put->bindValue("ok", true, PDO::PARAM_BOOL);
        $put->bindValue("raw", "\0\xff", PDO::PARAM_LOB);
        $put->bindValue("n", "1.25");
        $put->bindValue("day", null);
        $put->execute();
        same($put->fetchColumn(), 1);
        same($db->lastInsertId("php_pdo_id_seq"), "1");
    });
    check("PDO rows", function () use ($db) {
        $row = $db->query("SELECT * FROM php_pdo")->fetch(PDO::FETCH_ASSOC);
        same([$row["name"], $row["ok"], stream_get_contents($row["raw"]), $row["n"], $row["day"]], ["茶", true, "\0\xff", "1.25", null]);
        foreach ([true, false] as $emulated) { // the driver puts the values in the text, or the server
            $get = $db->prepare("SELECT count(*) FROM php_pdo WHERE name = ? AND ok = ?", [PDO::ATTR_EMULATE_PREPARES => $emulated]);
            $get->bindValue(1, "茶");
            $get->bindValue(2, true, PDO::PARAM_BOOL);
            $get->execute();
            same($get->fetchColumn(), 1);
        }
        $put = $db->prepare("INSERT INTO php_pdo (name, ok, n, day) VALUES (?, ?, ?, ?)", [PDO::ATTR_EMULATE_PREPARES => true]);
        $put->execute(["it's \\ '", "f", "2.345", "2024-02-29"]);
        same($db->query("SELECT n, ok FROM php_pdo WHERE day = '2024-02-29'")->fetch(PDO::FETCH_NUM), ["2.35", false]);
        $db->beginTransaction();
        $db->exec("DELETE FROM php_pdo");
        $db->rollBack();
        same($db->query("SELECT count(*) FROM php_pdo")->fetchColumn(), 2);
        try {
            $db->exec("INSERT INTO php_pdo (name) VALUES ('茶')");
        } catch (PDOException $error) {
            same($error->errorInfo[0], "23505");
        }
        $cursor = $db->prepare("SELECT * FROM generate_series(1, 100) n", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
        $cursor->execute();
        same($cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 50)[0], 50);
        $cursor = null;
        same($db->pgsqlCopyFromArray("php_pdo", ["c1\tt", "c2\tf"], "\t", "\\N", "name, ok"), true);
        same(count($db->pgsqlCopyToArray("php_pdo")), 4);
        same($db->query("SELECT * FROM php_pdo")->getColumnMeta(4)["native_type"], "numeric");
        $db->exec("DROP TABLE php_pdo");
    });
}

function pgsql(): void {
    check("pgsql", function () {
        $db = pg_connect("");
        pg_query($db, "DROP TABLE IF EXISTS php_pg; CREATE TABLE php_pg (id serial PRIMARY KEY, name text, tags text[])");
        pg_insert($db, "php_pg", ["name" => "茶's", "tags" => "{a,b}"]);
        same(pg_select($db, "php_pg", ["name" => "茶's"])[0]["tags"], "{a,b}");
        pg_update($db, "php_pg", ["name" => "b"], ["name" => "茶's"]);
        pg_prepare($db, "by", "SELECT id, name FROM php_pg WHERE name = $1");
        same(pg_fetch_assoc(pg_execute($db, "by", ["b"])), ["id" => "1", "name" => "b"]);
        same(pg_meta_data($db, "php_pg")["name"]["type"], "text");
        pg_query($db, "LISTEN php_news");
        pg_query($db, "NOTIFY php_news, 'hello'");
        same(pg_get_notify($db)["payload"] ?? null, "hello");
        same(pg_result_error_field(@pg_get_result_of($db, "SELECT nope"), PGSQL_DIAG_SQLSTATE), "42703");
        pg_query($db, "DROP TABLE php_pg");
    });
}

function pg_get_result_of($db, string $sql) {
    pg_send_query($db, $sql);
    return pg_get_result($db);
}

function doctrine(): void {
    require_once "Doctrine/DBAL/autoload.php";
    $db = Doctrine\DBAL\DriverManager::getConnection([
        "driver" => "pdo_pgsql", "host" => getenv("PGHOST"), "port" => (int) getenv("PGPORT"),
        "user" => getenv("PGUSER"), "password" => getenv("PGPASSWORD"), "dbname" => getenv("PGDATABASE"),
    ]);
    $manager = $db->createSchemaManager();
    $wanted = new Doctrine\DBAL\Schema\Schema();
    $item = $wanted->createTable("php_item");
    $item->addColumn("id", "integer", ["autoincrement" => true]);
    $item->addColumn("name", "string", ["length" => 50]);
    $item->addColumn("data", "json", ["notnull" => false]);
    $item->addColumn("price", "decimal", ["precision" => 10, "scale" => 2, "default" => "0.00"]);
    $item->addColumn("made", "datetimetz_immutable", ["notnull" => false]);
    $item->addColumn("ok", "boolean", ["default" => true]);
    $item->addColumn("code", "guid", ["notnull" => false]);
    $item->setPrimaryKey(["id"]);
    $item->addUniqueIndex(["name"], "php_item_name");
    $line = $wanted->createTable("php_line");
    $line->addColumn("id", "bigint", ["autoincrement" => true]);
    $line->addColumn("item_id", "integer");
    $line->addColumn("note", "text", ["notnull" => false, "comment" => "what is said 说"]);
    $line->setPrimaryKey(["id"]);
    $line->addForeignKeyConstraint($item, ["item_id"], ["id"], ["onDelete" => "CASCADE"], "php_line_item");
    check("DBAL makes tables", function () use ($db, $wanted) {
        foreach ($wanted->toSql($db->getDatabasePlatform()) as $sql) {
            $db->executeStatement($sql);
        }
    });
    check("DBAL reads tables", function () use ($manager, $wanted) {
        $found = $manager->introspectTable("php_line");
        same(array_keys($found->getForeignKeys()), ["php_line_item"]);
        same($found->getColumn("note")->getComment(), "what is said 说");
        same($manager->introspectTable("php_item")->getColumn("name")->getLength(), 50);
        same($manager->introspectTable("php_item")->getIndex("php_item_name")->isUnique(), true);
        same($manager->tablesExist(["php_item"]), true);
    });
    check("DBAL sees no difference", function () use ($manager, $wanted) {
        $compared = $manager->createComparator();
        foreach (["php_item", "php_line"] as $name) {
            $difference = $compared->compareTables($manager->introspectTable($name), $wanted->getTable($name));
            same([$name, array_keys($difference->changedColumns), count($difference->addedIndexes), count($difference->changedIndexes), count($difference->changedForeignKeys)], [$name, [], 0, 0, 0]);
        }
    });
    check("DBAL rows", function () use ($db) {
        $now = new DateTimeImmutable("2024-05-06T07:08:09+08:00");
        $db->insert("php_item", ["name" => "茶", "data" => ["a" => 1], "made" => $now, "ok" => false], ["data" => "json", "made" => "datetimetz_immutable", "ok" => "boolean"]);
        same((int) $db->lastInsertId(), 1);
        $row = $db->fetchAssociative("SELECT * FROM php_item WHERE name = ?", ["茶"]);
        same([$row["data"], $row["ok"], $row["price"]], ['{"a":1}', false, "0.00"]);
        same($db->convertToPHPValue($row["made"], "datetimetz_immutable")->getTimestamp(), $now->getTimestamp());
        same($db->fetchOne("SELECT count(*) FROM php_item WHERE id IN (?)", [[1, 2]], [Doctrine\DBAL\ArrayParameterType::INTEGER]), 1);
        same($db->createQueryBuilder()->select("name")->from("php_item")->where("id = :id")->setParameter("id", 1)->setMaxResults(1)->fetchOne(), "茶");
        same($db->update("php_item", ["name" => "b"], ["id" => 1]), 1);
        $db->setNestTransactionsWithSavepoints(true);
        $db->transactional(function ($db) {
            $db->insert("php_line", ["item_id" => 1]);
        });
        refused(Doctrine\DBAL\Exception\UniqueConstraintViolationException::class, fn () => $db->insert("php_item", ["name" => "b"]));
        refused(Doctrine\DBAL\Exception\ForeignKeyConstraintViolationException::class, fn () => $db->insert("php_line", ["item_id" => 77]));
        refused(Doctrine\DBAL\Exception\NotNullConstraintViolationException::class, fn () => $db->insert("php_item", ["name" => null]));
        refused(Doctrine\DBAL\Exception\TableNotFoundException::class, fn () => $db->fetchOne("SELECT 1 FROM nope"));
        refused(Doctrine\DBAL\Exception\SyntaxErrorException::class, fn () => $db->fetchOne("SELEC 1"));
        same($db->delete("php_item", ["id" => 1]), 1);
    });
    check("DBAL changes tables", function () use ($db, $manager) {
        $old = $manager->introspectTable("php_item");
        $new = clone $old;
        $new->addColumn("extra", "string", ["length" => 20, "default" => "x"]);
        $new->changeColumn("name", ["length" => 80]);
        $new->addIndex(["price"], "php_item_price");
        $manager->alterTable($manager->createComparator()->compareTables($old, $new));
        same($manager->introspectTable("php_item")->getColumn("name")->getLength(), 80);
        $manager->dropTable("php_line");
        $manager->dropTable("php_item");
    });
}

$argv[1]();
