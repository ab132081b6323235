"""Training on several machines: every worker runs the loop of `thinc.training`, and a group joins their gradients.

    distributed_train("tagger.cfg", workers=4, storage="runs/tagger")

Ray starts, watches and restarts the workers; it is imported on the call. docs/how-to/several-machines.md shows how.
"""

from .bucket import Bucket
from .group import Group, LostWorker
from .loop import distributed_train
from .sharded import Sharded
from .sync import Sync

__all__ = ["Bucket", "Group", "LostWorker", "Sharded", "Sync", "distributed_train"]
