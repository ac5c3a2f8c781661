"""The version of Job Orchestra, which setup.cfg reads from here, and that of the shapes that clients are told."""

VERSION = "5.0.0.dev0"

SCHEMA_VERSION = 1
"""Version of the shapes that clients are told; printed by the command line's --json."""
