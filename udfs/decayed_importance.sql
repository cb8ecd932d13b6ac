-- Importance that decays with age and grows with use: the seed formula,
-- importance * exp(-rate * age_days) * ln(access_count + 1).
--
-- Arguments:
--   importance: 0..1.
--   age_days: age in days, from 0.
--   access_count: how often it was used.
--   rate: decay a day; 0.1 halves it in about a week.
--
-- Returns: from 0; NULL where an argument is NULL. A memory that was never used has 0.
--
-- Examples:
--   SELECT decayed_importance(0.8, 10, 3);
CREATE MACRO decayed_importance(importance, age_days, access_count, rate := 0.1) AS
  importance * exp(-rate * age_days) * ln(access_count + 1);
