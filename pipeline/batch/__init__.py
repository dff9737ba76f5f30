"""Long runs: cut into blocks, spread over processes or a cluster, kept in shards, taken up again.

Nothing here knows what is done with a block; `pipeline.workflow` says so.
"""

from __future__ import annotations

from pipeline.batch.backends import Backend, map_in_order, open_backend
from pipeline.batch.cache import CallCache, hash_key
from pipeline.batch.folder import RunFolder, hash_file, open_run
from pipeline.batch.store import (
    DamagedShard,
    Shard,
    Store,
    clear,
    delete_block,
    delete_damaged,
    delete_shard,
    open_store,
    own_part,
    read_shard,
    take_block,
    write_block,
    write_shard,
)

__all__ = [
    "Backend",
    "CallCache",
    "DamagedShard",
    "RunFolder",
    "Shard",
    "Store",
    "clear",
    "delete_block",
    "delete_damaged",
    "delete_shard",
    "hash_file",
    "hash_key",
    "map_in_order",
    "open_backend",
    "open_run",
    "open_store",
    "own_part",
    "read_shard",
    "take_block",
    "write_block",
    "write_shard",
]
