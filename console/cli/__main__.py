"""The command line, as `python -m job_orchestra.console.cli`: for programs that start it again."""

from .main import main

main()
