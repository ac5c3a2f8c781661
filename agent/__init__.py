"""What acts: one agent process per machine and the executor process beside it. Imports core and store.

`main` puts the parts together. A request comes in at `scripting`, is answered by `service`, changes go through `master`
to the `replica` (durable log, ledger), from there to the store (`history`) and to the `worker`, which hands builds to
the `executor`, a process of its own that outlives the agent.
"""
