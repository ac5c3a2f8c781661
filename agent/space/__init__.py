"""The blob space (store/space) as an agent uses it: what builds left is also kept there, and comes from there at last.

`bundle` is a directory as one stream of bytes, `shelf` the way to the space and back: nothing is taken from there
unchecked. `filling` puts there what ended, behind the history, and `clearing` removes what the history no longer
knows; `space` is all of it as one. Imports run in that order. Nothing of a build's way waits for any of it.
"""

from .space import Space

__all__ = ["Space"]
