"""Every request a client may make: one table that scripting socket, command line, console and web share.

A module a noun: the shapes of its methods' parameters and results, and below them the rows of the table. `nouns` finds
one row and imports no noun but its own, which is what commands start with; `table` is all rows, and the schema and the
reference page in docs/ are made from it, so nothing is written twice. `method` says what a row is; `submitting` is what
builds, pipelines and schedules return alike. How a request is answered is none of their business (agent/service).
"""
