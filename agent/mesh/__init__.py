"""The control mesh: how agents speak to each other. Small encrypted messages, between members only.

`contract` is what everybody else sees. `zeromq` carries it over TCP, `memory` inside one event loop; both pass one
contract suite. They share `switchboard` (who takes what comes in) and `calls` (what waits for an answer). Bulk data
and strangers who want to join have connections of their own, elsewhere.
"""
