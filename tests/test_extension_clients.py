"""The extension in clients of other languages, unmodified; who is not installed is skipped.

Their SQLite is their own: 3.39 in Perl's driver, newer ones elsewhere.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import sqlagent

pytestmark = pytest.mark.slow

PERL = """
use DBI; binmode STDOUT, ":utf8";
my $d = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", "", "",
  {RaiseError => 1, PrintError => 0, sqlite_unicode => 1});
$d->sqlite_enable_load_extension(1); $d->sqlite_load_extension($ARGV[1]);
my @r = $d->selectrow_array(
  "SELECT content FROM recall(?, ?) WHERE k = ?", undef, "ada", "\\x{9f99}\\x{4e95}", 1);
print "$r[0]\\n";
print $d->selectrow_array("SELECT remember(?, ?)", undef, "ada", "from perl"), "\\n";
eval { $d->selectrow_array("SELECT * FROM neighbors(?)", undef, "zz") };
print $@ =~ /hint: SELECT name FROM entities/ ? "told\\n" : "not told: $@\\n";
"""
RUBY = """
require "sqlite3"
d = SQLite3::Database.new(ARGV[0]); d.enable_load_extension(true); d.load_extension(ARGV[1])
puts d.execute("SELECT content FROM recall(?, ?) WHERE k = ?", ["ada", "龙井", 1])[0][0]
puts d.execute("SELECT remember(?, ?)", ["ada", "from ruby"])[0][0]
begin
  d.execute("SELECT * FROM neighbors(?)", ["zz"])
rescue SQLite3::SQLException => e
  puts e.message.include?("hint: SELECT name FROM entities") ? "told" : e.message
end
"""
TCL = """
package require sqlite3
fconfigure stdout -encoding utf-8
sqlite3 db [lindex $argv 0]
db enable_load_extension 1
set library [lindex $argv 1]
db eval {SELECT load_extension($library)}
puts [db onecolumn {SELECT content FROM recall('ada', char(0x9f99, 0x4e95)) WHERE k = 1}]
puts [db onecolumn {SELECT remember('ada', 'from tcl')}]
catch {db eval {SELECT * FROM neighbors('zz')}} said
puts [expr {[string match "*hint: SELECT name FROM entities*" $said] ? "told" : $said}]
"""
PHP = """<?php
$d = new SQLite3($argv[1]); $d->enableExceptions(true); $d->loadExtension(basename($argv[2]));
$s = $d->prepare("SELECT content FROM recall(:who, :what) WHERE k = :k");
$s->bindValue(":who", "ada"); $s->bindValue(":what", "龙井"); $s->bindValue(":k", "1");
echo $s->execute()->fetchArray()[0], "\\n";
echo $d->querySingle("SELECT remember('ada', 'from php')"), "\\n";
try { $d->querySingle("SELECT * FROM neighbors('zz')"); } catch (Exception $e) {
  echo str_contains($e->getMessage(), "hint: SELECT name FROM entities") ? "told" : $e, "\\n";
}
"""
JAVA = """
import java.sql.*;
public class client {
  public static void main(String[] args) throws Exception {
    var settings = new java.util.Properties();
    settings.setProperty("enable_load_extension", "true");
    var out = new java.io.PrintStream(System.out, true, "UTF-8");
    try (Connection c = DriverManager.getConnection("jdbc:sqlite:" + args[0], settings)) {
      c.createStatement().execute("SELECT load_extension('" + args[1] + "')");
      PreparedStatement s = c.prepareStatement("SELECT content FROM recall(?, ?) WHERE k = ?");
      s.setString(1, "ada"); s.setString(2, "龙井"); s.setInt(3, 1);
      out.println(s.executeQuery().getString(1));
      s.close();
      out.println(c.createStatement().executeQuery("SELECT remember('ada', 'java')").getLong(1));
      try { c.createStatement().executeQuery("SELECT * FROM neighbors('zz')").next(); }
      catch (SQLException e) {
        out.println(e.getMessage().contains("hint: SELECT name FROM entities") ? "told" : e);
      }
    }
  }
}
"""
JAR = Path("/usr/share/java/sqlite-jdbc.jar")
CLIENTS = {
    "java": (JAVA, ".java", ["test", "-f", str(JAR)]),
    "perl": (PERL, ".pl", ["perl", "-MDBD::SQLite", "-e", "1"]),
    "ruby": (RUBY, ".rb", ["ruby", "-rsqlite3", "-e", "1"]),
    "tclsh": (TCL, ".tcl", []),
    "php": (PHP, ".php", ["php", "-r", "new SQLite3(':memory:');"]),
}


@pytest.mark.parametrize("program", CLIENTS)
def test_a_client(program: str, tmp_path: Path, library: Path, place: Path) -> None:
    source, ending, probe = CLIENTS[program]
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    if probe and subprocess.run(probe, capture_output=True).returncode:
        pytest.skip(f"{program} has no driver for SQLite")
    path = tmp_path / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute("SELECT remember('ada', 'green tea'), remember('ada', '王芳喜欢喝龙井茶')")
        con.close()
    script = tmp_path / f"client{ending}"
    script.write_text(source, encoding="utf-8")
    options = {
        "php": ["-d", f"sqlite3.extension_dir={library.parent}"],
        "java": ["-Dfile.encoding=UTF-8", "-cp", str(JAR)],
    }.get(program, [])
    done = subprocess.run(
        [program, *options, str(script), str(path), str(library)], capture_output=True, text=True,
        encoding="utf-8", timeout=120,
    )  # fmt: skip
    if program == "tclsh" and "can't find package sqlite3" in done.stderr:
        pytest.skip("tclsh has no driver for SQLite")
    assert done.stdout == "王芳喜欢喝龙井茶\n3\ntold\n", done.stdout + done.stderr


def test_datasette(tmp_path: Path, library: Path, place: Path) -> None:
    """Anybody may ask it: it reads, and nothing else."""
    program = shutil.which("datasette")
    if program is None:
        pytest.skip("no datasette")
    path = tmp_path / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute("SELECT remember('ada', 'green tea')")
        con.close()

    def get(sql: str) -> str:
        from urllib.parse import quote

        done = subprocess.run(
            # A first question waits for the embedding model, which may take a second.
            [program, str(path), "--load-extension", str(library),
             "--setting", "sql_time_limit_ms", "30000",
             "--get", f"/agent.json?_shape=array&sql={quote(sql)}"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if "enable_load_extension" in done.stderr:
            pytest.skip("datasette's Python loads no extensions")
        return done.stdout

    assert "green tea" in get("SELECT content FROM recall('ada', 'tea')")
    assert "remember writes" in get("SELECT remember('ada', 'x')")
    assert "no such function: sqlagent" in get("SELECT sqlagent('SELECT 1')")
