-- The change log keeps its newest 200,000 entries: whoever writes, a plain client too, trims it as it
-- goes, a thousand at a time, so no file grows without bound and no process has to come by. A reader
-- that is further behind reads its tables whole.
CREATE TRIGGER sqlagent_change_log_trims_itself AFTER INSERT ON sqlagent_change_log
WHEN NEW.seq % 1000 = 0
BEGIN
  DELETE FROM sqlagent_change_log WHERE seq <= NEW.seq - 200000;
END;
