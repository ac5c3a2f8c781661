"""The lab: real agents on hosts of their own, faults, load, and a judge who was not there.

`lab` makes `host`s that speak over a `wire` (network namespaces, or loopback); `forming` makes one network of them.
`load` and `watching` run in a process of their own (`clients`) and only write down what they see; `faults`, `links`
and `disks` break things, `schedule` says when. Everything is an `events` file; `dump` adds what the agents remember at
the end, and `checker` decides offline, from the files alone, whether every promise was kept. `campaign` does all of it.
"""
