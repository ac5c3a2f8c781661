"""The entry: refuses a Python that is too old in words, before anything that such a Python cannot read is imported."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it is the old Python that needs this line
    sys.stderr.write(
        "tools: Python {}.{} is too old: Job Orchestra needs 3.11 or newer\n"
        "tools: run this with a newer one, for example: python3.11 -m tools\n".format(*sys.version_info[:2])
    )
    sys.exit(2)

from .cli import main

sys.exit(main(sys.argv[1:]))
