"""The knowledge graph: entities and relations, walked, measured, and filled from what is known."""
