"""Measurements, each beside a peer in the same run where there is one: `python3 -m tools bench [NAME...] [--json]`.

A measurement is a function that yields figures; `report` prints them. Ratios are the result: absolute times vary from
machine to machine and from hour to hour.
"""
