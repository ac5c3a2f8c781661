"""The job file (orchestra.yaml): its text to jobs and schedules, its JSON Schema, and the values of a submission. Pure.

One table of keys per mapping says how a key is read, what it means and how it looks to an editor; docs/jobfile.md and
`orchestra schema` come from the same tables. Every problem is told as `file:line:column: key: what; what to do`.

`steps`, `sources`, `keeping`, `matrices` and `jobs` are the tables; `assembling` turns what was read into the model,
`templates` looks at its expressions, `ordering` at jobs together, `schedules` at the clock; `reading` does all of it;
`binding` is apart: it checks what a submission gives. Imports run from the later to the earlier.
"""

from ..names import RESERVED_PROJECT
from .binding import bind
from .reading import JobFile, parse, schema
from .steps import SHELLS

__all__ = ["RESERVED_PROJECT", "SHELLS", "JobFile", "bind", "parse", "schema"]
