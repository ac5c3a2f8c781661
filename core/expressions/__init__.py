"""The language of `if` and of `${{ }}`: small, total, and looked at before it is used. Never Python's eval. Pure.

    branch == 'main' && !startsWith(parameters.target, 'test-') || matrix.python in ['3.12', '3.13']

Values are texts and truths, nothing else; what is written without quotes, as `3.10`, is the text that is written. `==`
and `!=` compare what is of one kind; `<`, `<=`, `>` and `>=` compare texts as versions: '3.9' < '3.10'. So evaluating
cannot fail: whatever a name stands for, there is an answer. Everything else that could be wrong is told when a job is
defined, with the character where it is. Refuses to know where values come from.

`tree` is what an expression is, `parsing` how it is read and checked, `evaluating` what it comes to.
"""

from .evaluating import Look, evaluate
from .parsing import MAX_DEPTH, MAX_LENGTH, checked_expression, parse_condition, parse_expression
from .tree import PLAIN_NAMES, Call, Expression, Name, Path, Scope, Value, kind_of, named

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "PLAIN_NAMES",
    "Call",
    "Expression",
    "Look",
    "Name",
    "Path",
    "Scope",
    "Value",
    "checked_expression",
    "evaluate",
    "kind_of",
    "named",
    "parse_condition",
    "parse_expression",
]
