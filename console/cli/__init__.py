"""The command line `orchestra`: one module per group of commands, loaded when its command is used.

`main` finds the command, `session` speaks to the agent and turns errors into exit codes, `output` decides between text
for people and JSON for programs. stdout is data, stderr is narration.
"""
