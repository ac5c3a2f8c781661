"""A store in MongoDB, through pymongo: a replica set, or one that stands alone.

documents.py turns records into documents and back, selecting.py queries, deployment.py connects and makes the indexes,
changing.py puts in what changed so that a crash leaves all or nothing of it, store.py is the store.
"""
