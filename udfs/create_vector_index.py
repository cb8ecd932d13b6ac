"""create_vector_index: what CREATE INDEX … ON vectors USING … does."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Json, scalar


@scalar("VARCHAR", writes=True)
def create_vector_index(
    ctx: Context, name: str, collection: str, kind: str, options: Json | None = None
) -> str:
    """Says how a collection of vectors is searched: CREATE INDEX name ON vectors USING kind WITH
    (collection = 'c', …) is the same. DROP INDEX name takes it back.

    Arguments:
      name: of the index, as of any other in the file.
      collection: as put_vector() named it; it has one index at most.
      kind: 'exact', every row is compared; 'codes', one-bit codes and the vectors of the nearest;
        'ivf_pq' or 'hnsw_sq', an index of Lance in the derived folder (the extra lance), built at
        the next search or CALL sync().
      options: JSON, of ivf_pq and hnsw_sq: partitions (as many as rows tell), probes (20, of the
        partitions), candidates (20, times k, that are compared exactly); of ivf_pq: sub_vectors.

    Returns: the name. NULL where a required argument is NULL.

    Errors: 'unknown collection "x"'; 'unknown index kind "x"'; 'collection "x" has the index "y"'.

    Examples:
      SELECT create_vector_index('points_exact', 'points', 'exact');
    """
    from sqlagent.search.indexes import create

    return create(ctx, name, collection, kind, options)
