"""The development command of the project: `python3 -m tools COMMAND`, from a bare Python.

`cli` reads the command line, `commands` turns a command into a plan, `plan` says what a step is, `perform` carries a
plan out or `--simulate` prints it. `environment` plans the virtual environment that most commands run in. `packages`,
`wheel`, `release` and `homes` are the project's own checks, and `bench` its measurements; those are programs of their
own (`python -m tools.wheel dist`), so that a plan is only command lines and files.

Imports: the modules of the dispatcher use the standard library alone, and nothing in the package imports tools.
"""
