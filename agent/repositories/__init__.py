"""Git repositories that builds begin in: what a branch is at the moment, a mirror of each on every agent, the checkout.

`git` runs git safely; `asking` asks a repository what a branch is, `resolving` does so here or at other agents;
`mirrors` keeps bare copies, so that only what is new is fetched; `checkout` fills a workspace from one. Imports run in
that order, downwards. Mirrors and checkouts are made by the program that fills a workspace (workspace.prepare), so that
they are logged, timed and stopped as the build's own processes are.
"""
