"""Stores in SQL databases, through peewee: one store (store.py) over what differs between databases (dialect.py).

tables.py makes the tables from collections.COLLECTIONS, statements.py writes rows, selecting.py reads them; sqlite.py
is the dialect of SQLite.
"""
