"""The executor: a process of its own that runs attempts and outlives the agent.

`protocol` is what the two say to each other, `link` the agent's end; `filtering`, `probing` and `readiness` belong to
programs that it starts. Everything else runs in the executor's process, which imports the standard library, msgspec and
core.model only, to stay small and quick to start.
"""
