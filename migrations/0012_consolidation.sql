-- Which operation wrote a link or a source, so that undoing it takes these back too.
ALTER TABLE memory_links ADD COLUMN operation_id INTEGER;
ALTER TABLE memory_sources ADD COLUMN operation_id INTEGER;
CREATE INDEX memory_links_by_operation ON memory_links (operation_id)
  WHERE operation_id IS NOT NULL;
CREATE INDEX memory_sources_by_operation ON memory_sources (operation_id)
  WHERE operation_id IS NOT NULL;
