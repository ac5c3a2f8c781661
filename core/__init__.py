"""What is true: the domain of Job Orchestra, pure.

No I/O, no clock, no threads, no logging: time, randomness and identity come in as arguments, decisions go out as
values. Nothing here imports from store, agent or console; they all stand on this.
"""
