"""How builds, agents and the rest look to a client: result shapes of the scripting contract, and how they are made.

A module a noun, as in `api`, whose rows return these shapes: `BuildView` is the shape, `build_view` makes it. Pure
translation from the model: instants become texts, defaults are written out. They import nothing of `api`.
"""
