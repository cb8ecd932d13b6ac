(* What programs do with OCaml's postgresql every day: `ok what`, or `FAIL what: why`. *)
open Postgresql

let check what run =
  try run (); Printf.printf "ok %s\n%!" what with
  | Error e -> Printf.printf "FAIL %s: %s\n%!" what (string_of_error e)
  | e -> Printf.printf "FAIL %s: %s\n%!" what (Printexc.to_string e)

let same got want = if got <> want then failwith (Printf.sprintf "got %s, want %s" got want)

let () =
  let db = new connection ~conninfo:"" () in
  let run ?params ?(expect = [ Tuples_ok ]) sql = db#exec ~expect ?params sql in
  let change ?params sql = ignore (run ?params ~expect:[ Command_ok ] sql) in
  check "OCaml values" (fun () ->
      change "DROP TABLE IF EXISTS ml_item";
      change "CREATE TABLE ml_item (id bigserial PRIMARY KEY, name text UNIQUE, raw bytea, n int)";
      let params = [| "茶"; db#escape_bytea "\000\255"; null |] in
      same ((run ~params "INSERT INTO ml_item (name, raw, n) VALUES ($1, $2, $3) RETURNING id")#getvalue 0 0) "1";
      let found = run ~params:[| "茶" |] "SELECT raw, n FROM ml_item WHERE name = $1" in
      same (found#get_escaped_value 0 0) "\000\255";
      same (string_of_bool (found#getisnull 0 1)) "true";
      same (string_of_bool (found#ftype 0 = BYTEA)) "true");
  check "OCaml copies" (fun () ->
      let rec drain () = match db#get_result with Some _ -> drain () | None -> () in
      db#send_query "COPY ml_item (name, n) FROM STDIN";
      ignore db#get_result;
      ignore (db#put_copy_data "a\t1\nb\t2\n");
      ignore (db#put_copy_end ());
      drain ();
      db#send_query "COPY (SELECT name FROM ml_item WHERE n > 0 ORDER BY n) TO STDOUT";
      ignore db#get_result;
      let rec lines found = match db#get_copy_data () with
        | Get_copy_data line -> lines (found ^ line)
        | _ -> found in
      same (lines "") "a\nb\n";
      drain ());
  check "OCaml single rows" (fun () ->
      db#send_query "SELECT n FROM generate_series(1, 3) AS n";
      db#set_single_row_mode;
      let rec count n = match db#get_result with
        | Some r -> count (if r#status = Single_tuple then n + 1 else n)
        | None -> n in
      same (string_of_int (count 0)) "3");
  check "OCaml errors and notices" (fun () ->
      let failed = db#exec "INSERT INTO ml_item (name) VALUES ('a')" in
      same (string_of_bool (failed#error_code = Error_code.UNIQUE_VIOLATION)) "true";
      change "LISTEN ml_news"; change "NOTIFY ml_news, 'hi'";
      match db#notifies with Some n -> same n.Notification.extra "hi" | None -> failwith "nothing was told");
  check "OCaml drops" (fun () -> change "DROP TABLE ml_item"; db#finish)
