-- Base-level activation of ACT-R, ln(sum of t^-d over all uses), in the constant-space form of Petrov
-- (2006): the most recent use exactly, the others spread evenly over the lifetime.
--
-- Arguments:
--   access_count: how often it was used, from 1 (less counts as 1).
--   age_days: days since the first use.
--   last_access_days: days since the last use; at most age_days.
--   d: decay, above 0 and below 1.
--
-- Returns: a logarithm, higher is more active; NULL where an argument is NULL. Times under a second count
-- as a second.
--
-- Source: Petrov (2006), Computationally efficient approximation of the base-level learning equation.
--
-- Examples:
--   SELECT activation(5, 100.0, 1.0);
CREATE MACRO activation(access_count, age_days, last_access_days, d := 0.5) AS
  ln(pow(CASE WHEN last_access_days < 1.0 / 86400 THEN 1.0 / 86400 ELSE last_access_days * 1.0 END, -d)
    + CASE WHEN access_count <= 1 THEN 0.0
      WHEN age_days - last_access_days < 1e-6 * (1.0 / 86400 + last_access_days) OR age_days <= 1.0 / 86400
      THEN (access_count - 1)
        * pow(CASE WHEN last_access_days < 1.0 / 86400 THEN 1.0 / 86400 ELSE last_access_days * 1.0 END, -d)
      ELSE (access_count - 1)
        * (pow(age_days * 1.0, 1.0 - d)
          - pow(CASE WHEN last_access_days < 1.0 / 86400 THEN 1.0 / 86400 ELSE last_access_days * 1.0 END, 1.0 - d))
        / nullif((1.0 - d) * (age_days
          - CASE WHEN last_access_days < 1.0 / 86400 THEN 1.0 / 86400 ELSE last_access_days * 1.0 END), 0)
      END);
