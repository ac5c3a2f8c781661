"""Contents kept by their SHA-256, compressed, one file each; what proves itself can be taken from anybody.

`store` is the folder of files. `seekable` is how one of them looks inside, `checking` whether one that came from
elsewhere is what it should be. Imports run in that order, downwards. Nothing here speaks to other machines.
"""

from .checking import Check
from .store import Blobs

__all__ = ["Blobs", "Check"]
