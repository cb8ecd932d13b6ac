-- How likely a memory is still retained: the forgetting curve of FSRS,
-- (1 + (0.9^(-1/decay) - 1) * age / stability)^-decay, which is 0.9 at an age of one stability.
--
-- Arguments:
--   age_days: days since it was last used, from 0.
--   stability_days: the days after which retention is 0.9, above 0.
--   decay: how fast the tail falls, above 0: 0.5 in FSRS-4.5 and FSRS-5, where the curve is
--     (1 + 19/81 * age / stability)^-0.5; 0.1542 is the default of FSRS-6.
--
-- Returns: 0..1, 1 at once; NULL where an argument is NULL, or stability_days or decay is 0.
--
-- Source: Ye et al., FSRS, https://github.com/open-spaced-repetition/fsrs4anki/wiki
--
-- Examples:
--   SELECT retention(5, 5);
CREATE MACRO retention(age_days, stability_days, decay := 0.5) AS
  pow(1.0 + (pow(0.9, -1.0 / nullif(decay, 0)) - 1.0) * (age_days * 1.0 / nullif(stability_days, 0)),
    -decay);
