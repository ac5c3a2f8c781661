"""Contents kept by their SHA-256, compressed; what proves itself can be taken from anybody.

`store` is the folder of files. `seekable` is how one of them looks inside, `checking` whether one that came from
elsewhere is what it should be. `contents` puts whole directories on top: small contents in one file, large ones as
blobs; `forgetting` takes out what is needed least. Imports run in that order, downwards. Nothing here speaks to other
machines.
"""

from . import forgetting
from .checking import Check
from .contents import Contents, Held, Why
from .store import Blobs

__all__ = ["Blobs", "Check", "Contents", "Held", "Why", "forgetting"]
