# What programs do every day with DBIx::Class, Rose::DB::Object and Mojo::Pg: `ok`, or `FAIL`: why.
use v5.30;
use utf8;
use open qw(:std :utf8);
use experimental 'signatures';

sub check ($what, $run) {
    my $done = eval { $run->(); 1 };
    my $why = $@;
    chomp $why;
    print $done ? "ok $what\n" : "FAIL $what: $why\n";
}
sub same ($got, $want) { die "got '$got', want '$want'\n" unless $got eq $want }
sub refused ($like, $run) {
    eval { $run->(); 1 } and die "nothing was refused\n";
    die "got $@" unless $@ =~ $like;
}

sub class {
    require DBIx::Class::Schema::Loader;
    require DBI;
    my @given = ("dbi:Pg:", $ENV{PGUSER}, $ENV{PGPASSWORD},
        { pg_enable_utf8 => 1, RaiseError => 1, AutoCommit => 1, PrintError => 0 });
    my $db = DBI->connect(@given);
    $db->do("DROP TABLE IF EXISTS pl_song"), $db->do("DROP TABLE IF EXISTS pl_band");
    $db->do("CREATE TABLE pl_band (id serial PRIMARY KEY, name varchar(50) NOT NULL UNIQUE,
      made timestamptz DEFAULT now(), price numeric(10,2), ok boolean DEFAULT true, tags text[])");
    $db->do("CREATE TABLE pl_song (id bigserial PRIMARY KEY, title text,
      band_id int NOT NULL REFERENCES pl_band (id) ON DELETE CASCADE)");
    check("DBD::Pg knows tables", sub {
        same(join(",", $db->primary_key(undef, "public", "pl_band")), "id");
        my $found = $db->column_info(undef, "public", "pl_band", "name")->fetchrow_hashref;
        same("$found->{TYPE_NAME} $found->{COLUMN_SIZE}", "character varying 50");
        same(scalar @{ $db->foreign_key_info(undef, undef, undef, undef, "public", "pl_song")->fetchall_arrayref }, 1);
        same($db->last_insert_id(undef, "public", "pl_band", undef) // "", "")
          if eval { $db->do("INSERT INTO pl_band (name) VALUES ('gone')"); $db->do("DELETE FROM pl_band"); 0 };
    });
    $db->disconnect;
    my $schema;
    check("DBIx::Class loads a schema", sub {
        DBIx::Class::Schema::Loader::make_schema_at("Pl::Schema",
            { naming => "current", constraint => qr/^pl_/, quiet => 1 }, [@given]);
        $schema = Pl::Schema->connect(@given);
        same(join(",", sort $schema->sources), "PlBand,PlSong");
        same($schema->source("PlBand")->column_info("name")->{size}, 50);
    });
    check("DBIx::Class rows", sub {
        my $band = $schema->resultset("PlBand")->create({ name => "茶", price => 1.5, tags => ["a b", "c"] });
        $band->discard_changes;
        same($band->price . "|@{$band->tags}|" . $band->ok, "1.50|a b c|1");
        $band->create_related("pl_songs", { title => "one" });
        $band->create_related("pl_songs", { title => "二" });
        my $found = $schema->resultset("PlBand")->search({ "pl_songs.title" => { like => "%二%" } }, { join => "pl_songs" });
        same($found->count . $found->first->name, "1茶");
        same($schema->resultset("PlBand")->search({}, { prefetch => "pl_songs" })->first->pl_songs->count, 2);
        $band->update({ name => "李" });
        same($schema->resultset("PlBand")->update_or_create({ name => "李", ok => 0 }, { key => "pl_band_name_key" })->ok, 0);
        $schema->resultset("PlBand")->populate([[qw(name price)], ["x", 1], ["y", 2]]);
        same($schema->resultset("PlBand")->get_column("price")->sum, "4.50");
        refused(qr/duplicate key|unique/i, sub { $schema->resultset("PlBand")->create({ name => "x" }) });
        eval { $schema->txn_do(sub { $schema->resultset("PlBand")->create({ name => "no" }); die "undone" }) };
        same($schema->resultset("PlBand")->search({ name => "no" })->count, 0);
        same($schema->resultset("PlBand")->search({}, { rows => 2, page => 2, order_by => "name" })->count, 1);
        $band->delete;
        same($schema->resultset("PlSong")->count, 0);
    });
    $schema->storage->dbh->do("DROP TABLE pl_song, pl_band");
}

sub rose {
    require Rose::DB;
    require Rose::DB::Object::Loader;
    Rose::DB->register_db(driver => "pg", database => $ENV{PGDATABASE}, host => $ENV{PGHOST}, port => $ENV{PGPORT},
        username => $ENV{PGUSER}, password => $ENV{PGPASSWORD}, connect_options => { pg_enable_utf8 => 1 });
    my $db = Rose::DB->new;
    $db->dbh->do("DROP TABLE IF EXISTS pl_thing");
    $db->dbh->do("CREATE TABLE pl_thing (id serial PRIMARY KEY, name varchar(40) UNIQUE NOT NULL, n int DEFAULT 3, day date)");
    check("Rose::DB::Object", sub {
        Rose::DB::Object::Loader->new(db => $db, class_prefix => "Pl", include_tables => "pl_thing")->make_classes;
        my $class = Pl::PlThing->can("new") ? "Pl::PlThing" : "PlPlThing";
        my $one = $class->new(name => "茶", day => "2024-02-29");
        $one->save;
        my $found = $class->new(name => "茶");
        $found->load;
        same($found->n . $found->day->ymd . $found->id, "32024-02-29" . $one->id);
        $found->n(5);
        $found->save;
        my $all = ($class . "::Manager")->get_objects(object_class => $class, query => [n => { gt => 4 }]);
        same(scalar @$all, 1);
        $found->delete;
    });
    $db->dbh->do("DROP TABLE pl_thing");
}

sub mojo {
    require Mojo::Pg;
    require Mojo::IOLoop;
    my $pg = Mojo::Pg->new("postgresql://")->dsn("dbi:Pg:")->username($ENV{PGUSER})->password($ENV{PGPASSWORD});
    check("Mojo::Pg migrates", sub {
        $pg->migrations->name("pl")->from_string("-- 1 up\nCREATE TABLE pl_mojo (id serial PRIMARY KEY, name text, data jsonb);\n-- 1 down\nDROP TABLE pl_mojo;\n")->migrate;
        same($pg->migrations->active, 1);
    });
    check("Mojo::Pg queries", sub {
        my $db = $pg->db;
        my $id = $db->insert("pl_mojo", { name => "茶", data => { -json => { a => [1] } } }, { returning => "id" })->hash->{id};
        same($db->select("pl_mojo", "*", { id => $id })->expand->hash->{data}{a}[0], 1);
        my $tx = $db->begin;
        $db->query("DELETE FROM pl_mojo");
        undef $tx;
        same($db->query("SELECT count(*) FROM pl_mojo")->array->[0], 1);
        my $told;
        $pg->pubsub->listen(pl_news => sub ($pubsub, $payload) { $told = $payload; Mojo::IOLoop->stop });
        $pg->pubsub->notify(pl_news => "hello");
        Mojo::IOLoop->timer(10 => sub { Mojo::IOLoop->stop });
        Mojo::IOLoop->start;
        same($told // "nothing", "hello");
        my $later;
        $db->query_p("SELECT 1 AS one")->then(sub ($results) { $later = $results->hash->{one} })->wait;
        same($later, 1);
    });
    check("Mojo::Pg migrates back", sub { $pg->migrations->migrate(0); $pg->db->query("DROP TABLE mojo_migrations") });
}

main->can($ARGV[0])->();
