-- How likely a memory is still retained: the forgetting curve of FSRS-4.5,
-- (1 + 19/81 * age / stability) ^ -0.5, which is 0.9 at an age of one stability.
--
-- Arguments:
--   age_days: days since it was last used, from 0.
--   stability_days: the days after which retention is 0.9, above 0.
--
-- Returns: 0..1, 1 at once; NULL where an argument is NULL or stability_days is 0.
--
-- Source: Ye et al., FSRS-4.5, https://github.com/open-spaced-repetition/fsrs4anki/wiki
--
-- Examples:
--   SELECT retention(5, 5);
CREATE MACRO retention(age_days, stability_days) AS
  pow(1.0 + 19.0 / 81.0 * (age_days * 1.0 / nullif(stability_days, 0)), -0.5);
