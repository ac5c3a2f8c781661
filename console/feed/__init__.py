"""What all faces share: one query core that knows no screen.

`contract` is the seam: a feed answers the methods of core/api, tells of changes, and says how fresh all that is.
`live` speaks to an agent and finds another one when it is gone; `archive` reads a store with no network at all.
On top of a feed: `pages` (windows over listings of any length), `listing` (small ones, sorted here), `words` (what
people type to filter), `logbytes` and `loglines` (windows over logs of any length), `logsearch` and `patterns` (what
people type to find something in them), `insight` (what follows from the history: usual durations, since when something
fails). Imports the client, the read side of the store, core.
"""
