# What programs do with Tcl's TDBC every day: `ok what`, or `FAIL what: why`.
package require tdbc::postgres
proc check {what body} {
    if {[catch {uplevel #0 $body} why]} { puts "FAIL $what: $why" } else { puts "ok $what" }
}
proc same {got want} { if {$got ne $want} { error "got '$got', want '$want'" } }
tdbc::postgres::connection create db -host $env(PGHOST) -port $env(PGPORT) -user $env(PGUSER) \
    -password $env(PGPASSWORD) -database $env(PGDATABASE)
check "TDBC tables" {
    db allrows {DROP TABLE IF EXISTS tcl_item}
    db allrows {CREATE TABLE tcl_item (id serial PRIMARY KEY, name varchar(40) UNIQUE, n int, x numeric(8,2), day date)}
    same [dict exists [db tables tcl_%] tcl_item] 1
    same [dict get [db columns tcl_item] name precision] 40
    same [dict get [lindex [db primarykeys tcl_item] 0] columnName] id
}
check "TDBC values" {
    set put [db prepare {INSERT INTO tcl_item (name, n, x, day) VALUES (:name, :n, :x, :day)}]
    $put paramtype n integer
    $put paramtype name varchar
    $put execute {name 茶 n 5 x 1.25 day 2024-02-29}
    $put execute {name empty}
    same [db allrows -as lists {SELECT name, n, x, day FROM tcl_item WHERE n = :n} {n 5}] {{茶 5 1.25 2024-02-29}}
    same [dict exists [lindex [db allrows {SELECT * FROM tcl_item WHERE name = 'empty'}] 0] n] 0
}
check "TDBC transactions" {
    catch {db transaction {
        db allrows {DELETE FROM tcl_item}
        error undone
    }}
    same [db allrows -as lists {SELECT count(*) FROM tcl_item}] 2
    catch {db allrows {INSERT INTO tcl_item (name) VALUES ('茶')}} - options
    same [lrange [dict get $options -errorcode] 0 2] {TDBC CONSTRAINT_VIOLATION 23505}
}
check "TDBC drops" { db allrows {DROP TABLE tcl_item} }
