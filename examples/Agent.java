// Remember, recall and query with pgjdbc.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;

public class Agent {
  public static void main(String[] arguments) throws Exception {
    String url =
        String.format(
            "jdbc:postgresql://%s:%s/%s",
            System.getenv("PGHOST"), System.getenv("PGPORT"), System.getenv("PGDATABASE"));
    try (Connection agent =
        DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      try (PreparedStatement remember = agent.prepareStatement("SELECT remember(?, ?)")) {
        remember.setString(1, "ada");
        remember.setString(2, "Grace likes green tea.");
        remember.execute();
      }
      try (PreparedStatement recall =
          agent.prepareStatement("SELECT content, score FROM recall(?, ?, k => 3)")) {
        recall.setString(1, "ada");
        recall.setString(2, "what does Grace drink?");
        ResultSet found = recall.executeQuery();
        while (found.next()) {
          System.out.printf("%.2f %s%n", found.getDouble("score"), found.getString("content"));
        }
      }
      try (PreparedStatement count =
          agent.prepareStatement("SELECT count(*) FROM memories WHERE agent_id = ?")) {
        count.setString(1, "ada");
        ResultSet found = count.executeQuery();
        found.next();
        System.out.println(found.getLong(1) + " memories");
      }
    }
  }
}
