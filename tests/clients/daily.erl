%% What programs do with Erlang's p1_pgsql every day: `ok what`, or `FAIL what: why`.
-module(daily).
-export([main/0]).

check(What, Run) ->
    try Run(), io:format("ok ~s~n", [What])
    catch _:Why -> io:format("FAIL ~s: ~p~n", [What, Why]) end.

main() ->
    Said = fun os:getenv/1,
    {ok, _} = application:ensure_all_started(stringprep),
    {ok, Db} = pgsql:connect([{host, Said("PGHOST")}, {port, list_to_integer(Said("PGPORT"))},
                              {database, Said("PGDATABASE")}, {user, Said("PGUSER")},
                              {password, Said("PGPASSWORD")}, {as_binary, true}]),
    check("p1_pgsql tables", fun() ->
        {ok, _} = pgsql:squery(Db, "DROP TABLE IF EXISTS erl_item"),
        {ok, [<<"CREATE TABLE">>]} = pgsql:squery(Db, "CREATE TABLE erl_item (id serial PRIMARY KEY, name text UNIQUE, n int)")
    end),
    check("p1_pgsql rows", fun() ->
        {ok, [<<"INSERT 0 2">>]} = pgsql:squery(Db, <<"INSERT INTO erl_item (name, n) VALUES ('", "茶"/utf8, "', '5'), ('b', NULL)">>),
        {ok, [{<<"SELECT 2">>, _, [[<<"茶"/utf8>>, <<"5">>], [<<"b">>, null]]}]} =
            pgsql:squery(Db, "SELECT name, n FROM erl_item ORDER BY id")
    end),
    check("p1_pgsql prepares", fun() ->
        {ok, _, _, _} = pgsql:prepare(Db, "one", "SELECT name FROM erl_item WHERE name = $1"),
        {ok, {_, [[{text, <<"b">>}]]}} = pgsql:execute(Db, "one", ["b"])
    end),
    check("p1_pgsql errors", fun() ->
        {ok, [{error, Fields}]} = pgsql:squery(Db, "INSERT INTO erl_item (name) VALUES ('b')"),
        {code, <<"23505">>} = lists:keyfind(code, 1, Fields),
        {ok, [<<"DROP TABLE">>]} = pgsql:squery(Db, "DROP TABLE erl_item")
    end),
    halt(0).
