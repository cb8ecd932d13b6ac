-- What programs do with LuaSQL every day: `ok what`, or `FAIL what: why`.
local driver = require "luasql.postgres"
local function check(what, run)
  local done, why = pcall(run)
  print(done and "ok " .. what or "FAIL " .. what .. ": " .. tostring(why))
end
local function same(got, want)
  if got ~= want then error(("got %s, want %s"):format(tostring(got), tostring(want)), 2) end
end
local said = os.getenv
local db = assert(driver.postgres():connect(said "PGDATABASE", said "PGUSER", said "PGPASSWORD", said "PGHOST", said "PGPORT"))
check("LuaSQL tables", function()
  assert(db:execute "DROP TABLE IF EXISTS lua_item")
  assert(db:execute "CREATE TABLE lua_item (id serial PRIMARY KEY, name text UNIQUE, n int, ok boolean)")
end)
check("LuaSQL rows", function()
  same(db:execute("INSERT INTO lua_item (name, n, ok) VALUES ('" .. db:escape "茶's" .. "', '5', 't'), ('b', NULL, 'f')"), 2)
  local cursor = assert(db:execute "SELECT name, n, ok FROM lua_item ORDER BY id")
  same(table.concat(cursor:getcolnames(), ","), "name,n,ok")
  same(cursor:getcoltypes()[3], "bool")
  local row = cursor:fetch({}, "a")
  same(row.name .. row.n .. row.ok, "茶's5t")
  same(cursor:fetch({}, "a").n, nil)
  same(cursor:numrows(), 2)
  cursor:close()
end)
check("LuaSQL transactions", function()
  db:setautocommit(false)
  assert(db:execute "DELETE FROM lua_item")
  assert(db:rollback())
  db:setautocommit(true)
  same(db:execute("SELECT count(*) FROM lua_item"):fetch(), "2")
  local none, why = db:execute "INSERT INTO lua_item (name) VALUES ('b')"
  same(none, nil)
  assert(why:find("duplicate key value violates unique constraint", 1, true), why)
end)
check("LuaSQL drops", function() assert(db:execute "DROP TABLE lua_item") end)
