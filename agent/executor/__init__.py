"""The executor: a process of its own that runs attempts and outlives the agent.

`protocol` is what the two say to each other, `link` the agent's end; everything else runs in the executor's process,
which imports the standard library, msgspec and core.model only, to stay small and quick to start.
"""
