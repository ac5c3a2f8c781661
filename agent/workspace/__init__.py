"""Workspaces: filling the directory that a build works in, and taking from it what is kept. Programs of the executor.

`beneath` does things below a directory without following a link out of it; everything here goes through it. `filling`
makes a directory what a tree says, by difference where it was one before; `prepare` is the program that does it all
before the first step. They run as the build's own processes do, so that they are logged, timed and killed like steps;
what comes from other machines was fetched by the agent before. Imports run in that order, downwards.
"""
