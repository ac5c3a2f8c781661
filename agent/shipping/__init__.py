"""Directories that travel with a submission, on the machine of whoever submits: what belongs to them, and packing it.

`gittree` asks git which files belong to a work tree, `listing` which do of any directory; `memory` knows the digests of
files that have not changed since the last time; `packing` puts contents where this machine's agent has them; `owning`
says which files are people's own when something comes back. Imports run in that order, downwards. All of it runs in the
client's process, and nothing of the directory is changed.
"""
