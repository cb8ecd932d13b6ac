// DatabaseMetaData, as DBeaver, Metabase and Tableau ask it.
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;

public class Metadata {
  interface Ask {
    Object ask() throws Exception;
  }

  static String rows(ResultSet found) throws Exception {
    int count = 0;
    StringBuilder shown = new StringBuilder();
    int width = found.getMetaData().getColumnCount();
    while (found.next()) {
      if (count++ < 3) for (int i = 1; i <= width; i++) shown.append(found.getString(i)).append(' ');
    }
    return count + " rows " + shown;
  }

  static void check(String what, Ask ask) {
    try {
      Object found = ask.ask();
      System.out.println("ok " + what + " "
          + (found instanceof ResultSet ? rows((ResultSet) found) : found));
    } catch (Exception error) {
      System.out.println("FAIL " + what + " " + error);
    }
  }

  public static void main(String[] arguments) throws Exception {
    String url = String.format("jdbc:postgresql://%s:%s/%s", System.getenv("PGHOST"),
        System.getenv("PGPORT"), System.getenv("PGDATABASE"));
    Connection c =
        DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    DatabaseMetaData m = c.getMetaData();
    String[] both = {"TABLE", "VIEW"};
    check("product", () -> m.getDatabaseProductName() + " " + m.getDatabaseProductVersion());
    check("schemas", () -> m.getSchemas());
    check("catalogs", () -> m.getCatalogs());
    check("table types", () -> m.getTableTypes());
    check("tables", () -> m.getTables(null, "public", "%", both));
    check("all tables", () -> m.getTables(null, null, "%", null));
    check("columns", () -> m.getColumns(null, "public", "users", "%"));
    check("all columns", () -> m.getColumns(null, null, "%", "%"));
    check("primary keys", () -> m.getPrimaryKeys(null, "public", "users"));
    check("imported keys", () -> m.getImportedKeys(null, "public", "orders"));
    check("exported keys", () -> m.getExportedKeys(null, "public", "users"));
    check("cross reference",
        () -> m.getCrossReference(null, "public", "users", null, "public", "orders"));
    check("indexes", () -> m.getIndexInfo(null, "public", "orders", false, false));
    check("types", () -> m.getTypeInfo());
    check("procedures", () -> m.getProcedures(null, null, "%"));
    check("procedure columns", () -> m.getProcedureColumns(null, null, "%", "%"));
    check("functions", () -> m.getFunctions(null, null, "%"));
    check("function columns", () -> m.getFunctionColumns(null, null, "%", "%"));
    check("table privileges", () -> m.getTablePrivileges(null, "public", "%"));
    check("column privileges", () -> m.getColumnPrivileges(null, "public", "users", "%"));
    check("best row", () -> m.getBestRowIdentifier(
        null, "public", "users", DatabaseMetaData.bestRowSession, false));
    check("version columns", () -> m.getVersionColumns(null, "public", "users"));
    check("user types", () -> m.getUDTs(null, null, "%", null));
    check("keywords", () -> m.getSQLKeywords().length());
    check("limits", () -> m.getMaxColumnNameLength() + " " + m.getMaxColumnsInIndex());
    check("user", () -> m.getUserName() + " " + c.getSchema() + " " + c.getCatalog());
    check("isolation", () -> c.getTransactionIsolation());
    check("result", () -> {
      PreparedStatement p = c.prepareStatement("SELECT id, email, balance FROM users WHERE id = ?");
      p.setInt(1, 1);
      ResultSet found = p.executeQuery();
      ResultSetMetaData columns = found.getMetaData();
      return "table " + columns.getTableName(1) + " auto " + columns.isAutoIncrement(1)
          + " nullable " + columns.isNullable(2) + " type " + columns.getColumnTypeName(3);
    });
    check("updatable", () -> {
      Statement s =
          c.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE);
      ResultSet found = s.executeQuery("SELECT id, age FROM users ORDER BY id");
      found.next();
      found.updateInt(2, 36);
      found.updateRow();
      return found.getInt(2);
    });
    check("generated keys", () -> {
      PreparedStatement p = c.prepareStatement(
          "INSERT INTO users (email) VALUES (?)", Statement.RETURN_GENERATED_KEYS);
      p.setString(1, "java@example.org");
      p.executeUpdate();
      return p.getGeneratedKeys();
    });
    c.close();
  }
}
