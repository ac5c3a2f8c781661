"""The Python client: every method of the scripting contract, with types, blocking or for asyncio.

    net = job_orchestra.connect()
    build = net.builds.submit("demo/test", marker="slow")[0]
    print(build.follow().state)

`net.builds.get("last")` is the method `builds.get`; positional arguments fill its parameters in their order. Results
are the Structs of core/api. Errors are those of core/errors.py, with what the agent said.

`blocking` and `awaiting` are the two clients, on top of `protocol` (what is said) and `sockets` (to whom);
`directories` travel with them. Every command begins with some of it: what few need is imported where it is used.
"""
