"""From the text of an expression to what it says, or to what is wrong with it and at which character. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from ..errors import InvalidInput
from ..nearest import nearest
from .tree import FUNCTIONS, KINDS, LIST, PLAIN_NAMES, TEXT, TRUTH, Call, Expression, Name, Path, Scope, Value, kind_of

MAX_LENGTH = 1_000
"""Characters of one expression."""

MAX_DEPTH = 32
"""Levels of parentheses, functions and `!`."""

#: what is written elsewhere -> what to write here
_ELSEWHERE = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "success": "needs, which waits for success by itself",
    "failure": "`needs: {job: NAME, when: failure}`",
    "always": "`needs: {job: NAME, when: always}`",
    "cancelled": "needs.NAME.state == 'cancelled'",
    "hashFiles": "hash",
    "github": "branch, revision, requester or cause",
    "inputs": "parameters",
    "params": "parameters",
    "null": "''",
    "result": "state",
    "outputs": "results",
}

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|(?P<number>[0-9]+(?:\.[0-9]+)*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[<>!()\[\],.])|(?P<end>$)|(?P<wrong>.))",
    re.DOTALL,
)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_WRONG_SIGNS = {"=": "==", "&": "&&", "|": "||", "~": "contains(TEXT, PART)"}


def parse_expression(text: str, scope: Scope) -> Expression:
    """Return what `text` says. Raises InvalidInput with what is wrong, at which character, and what to write."""
    if len(text) > MAX_LENGTH:
        message = f"has {len(text)} characters; up to {MAX_LENGTH} are possible: let a step decide"
        raise InvalidInput(message)
    return _Parser(text, scope).whole()


def parse_condition(text: str, scope: Scope) -> Expression:
    """Return what a condition says, which is true or false. Raises InvalidInput."""
    if "${{" in text:
        raise InvalidInput("is an expression as a whole; write it without ${{ }}")
    found = parse_expression(text, scope)
    if kind_of(found) != TRUTH:
        message = f"is {KINDS[kind_of(found)]}, which is neither true nor false; compare it, as {text.strip()} != ''"
        raise InvalidInput(message)
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text, word, number, sign, end
    text: str  # as written
    at: int  # its first character, from 1


class _Parser:
    """Recursive descent, with a limit; knows kinds, so that what it returns can be evaluated without a check."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._scope = scope
        self._depth = 0
        self._tokens = self._split(text)
        self._next = 0

    def whole(self) -> Expression:
        if self._peek().kind == "end":
            raise InvalidInput("is empty; write an expression, as branch == 'main'")
        found = self._or()
        last = self._peek()
        if last.kind != "end":
            self._fail(last, f"{last.text[:20]!r} is one too many", self._instead(last, "combine with && or ||"))
        return found

    # -- tokens

    def _split(self, text: str) -> list[_Token]:
        found: list[_Token] = []
        place = 0
        while not found or found[-1].kind != "end":
            match = _TOKEN.match(text, place)
            kind = match.lastgroup if match is not None else None
            if match is None or kind is None:  # the pattern takes anything
                break
            token = _Token(kind, match[kind], match.start(kind) + 1)
            if kind == "wrong":
                remedy = f"write {_WRONG_SIGNS[token.text]}" if token.text in _WRONG_SIGNS else "remove it"
                remedy = "close the quotes" if token.text in "'\"" else remedy
                self._fail(token, f"{token.text!r} means nothing here", remedy)
            found.append(token)
            place = match.end()
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _sign(self, *signs: str) -> str | None:
        """Take one of these signs, if it is next."""
        token = self._peek()
        if token.kind in {"sign", "word"} and token.text in signs:
            return self._take().text
        return None

    def _need(self, sign: str) -> None:
        token = self._take()
        if token.kind != "sign" or token.text != sign:
            self._fail(
                token, f"expected `{sign}`, found {repr(token.text[:20]) if token.text else 'the end'}", f"add `{sign}`"
            )

    def _fail(self, token: _Token, what: str, remedy: str) -> NoReturn:
        message = f"{what} at character {token.at}; {remedy}"
        raise InvalidInput(message)

    def _instead(self, token: _Token, remedy: str) -> str:
        return f"write {_ELSEWHERE[token.text]}" if token.text in _ELSEWHERE else remedy

    # -- grammar, from what binds least

    def _or(self) -> Expression:
        return self._chain("||", lambda: self._chain("&&", self._comparison))

    def _chain(self, sign: str, part: Callable[[], Expression]) -> Expression:
        at = self._peek()
        found = part()
        while self._sign(sign):
            self._expect(found, TRUTH, at, sign)
            at = self._peek()
            following = part()
            self._expect(following, TRUTH, at, sign)
            found = Call(sign, (found, following))
        return found

    def _comparison(self) -> Expression:
        at = self._peek()
        left = self._unary()
        sign = self._sign(*_COMPARISONS)
        if sign is None:
            return left
        behind = self._peek()
        right = self._unary()
        if sign == "in":
            self._expect(left, TEXT, at, sign)
            self._expect(right, LIST, behind, sign)
        elif sign in {"==", "!="} and kind_of(left) == kind_of(right) == TRUTH:
            pass
        else:
            self._same(left, right, at, behind, sign)
        chained = self._peek()
        if chained.text in _COMPARISONS and chained.kind != "text":
            self._fail(chained, "comparisons cannot be chained", "combine two with &&")
        return Call(sign, (left, right))

    def _same(self, left: Expression, right: Expression, at: _Token, behind: _Token, sign: str) -> None:
        for one, token in ((left, at), (right, behind)):
            if kind_of(one) == TRUTH and isinstance(one, Value):
                word = str(one.value).lower()
                self._fail(token, f"`{sign}` compares a text with {word}", f"write '{word}' in quotes")
            self._expect(one, TEXT, token, sign)

    def _unary(self) -> Expression:
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                self._fail(self._peek(), f"nested more than {MAX_DEPTH} levels deep", "let a step decide")
            if not self._sign("!"):
                return self._primary()
            at = self._peek()
            found = self._unary()
            self._expect(found, TRUTH, at, "!")
            return Call("!", (found,))
        finally:
            self._depth -= 1

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "text":
            quote = token.text[0]
            return Value(token.text[1:-1].replace(quote * 2, quote))
        if token.kind == "number":
            return Value(token.text)
        if token.kind == "word":
            return self._word(token)
        if token.text == "(":
            found = self._or()
            self._need(")")
            return found
        if token.text == "[":
            return self._list(token)
        found_text = f"found {token.text!r}" if token.text else "it ends"
        return self._fail(token, f"expected a value, {found_text}", "write a name, or a text in quotes")

    def _list(self, at: _Token) -> Expression:
        texts: list[str] = []
        while not self._sign("]"):
            if texts:
                self._need(",")
            one = self._primary()
            if not isinstance(one, Value) or not isinstance(one.value, str):
                self._fail(at, "a list holds texts", "write them in quotes, as ['3.12', '3.13']")
            texts.append(one.value)
        return Value(tuple(texts))

    def _word(self, token: _Token) -> Expression:
        if token.text in {"true", "false"}:
            return Value(token.text == "true")
        if self._sign("("):
            return self._call(token)
        path = [token.text]
        while sign := self._sign(".", "["):
            part = self._take()
            if sign == "[" and part.kind == "text":
                path.append(part.text[1:-1])
                self._need("]")
            elif sign == "." and part.kind in {"word", "number"}:
                path.append(part.text)
            else:
                self._fail(
                    part, f"expected a name behind `{sign}`", "write it as needs.JOB.state, or needs['JOB'].state"
                )
        self._check_name(token, tuple(path))
        return Name(tuple(path))

    def _call(self, token: _Token) -> Expression:
        name = token.text
        arguments: list[Expression] = []
        places: list[_Token] = []
        while not self._sign(")"):
            if arguments:
                self._need(",")
            places.append(self._peek())
            arguments.append(self._or())
        if name == "hash" and self._scope.hashes:
            kinds: tuple[str, ...] = (TEXT,) * max(1, len(arguments))
            if any(not isinstance(one, Value) for one in arguments):
                self._fail(token, "hash takes globs in quotes", "write it as hash('uv.lock')")
        elif name == "hash":
            self._fail(token, "files are known only in the key of a cache", "remove hash()")
        elif name in FUNCTIONS:
            kinds = FUNCTIONS[name][0]
        else:
            self._unknown(token, name, [*FUNCTIONS, *(["hash"] if self._scope.hashes else [])], "function")
        if len(arguments) != len(kinds):
            self._fail(token, f"{name} takes {len(kinds)} values, not {len(arguments)}", f"write it as {_usage(name)}")
        for one, kind, place in zip(arguments, kinds, places, strict=True):
            self._expect(one, kind, place, name)
        return Call(name, tuple(arguments))

    # -- kinds and names

    def _expect(self, found: Expression, kind: str, at: _Token, sign: str) -> None:
        have = kind_of(found)
        if have == kind:
            return
        if kind == TRUTH and have == TEXT:
            remedy = f"compare it, as {at.text} != ''"
        elif kind == LIST:
            remedy = "write it as ['one', 'two'], or use contains(TEXT, PART)"
        else:
            remedy = "leave it out"
        self._fail(at, f"`{sign}` takes {KINDS[kind]}, not {KINDS[have]}", remedy)

    def _check_name(self, token: _Token, path: Path) -> None:
        scope = self._scope
        match path:
            case (one,) if one in PLAIN_NAMES:
                return
            case ("parameters", one):
                self._among(token, one, scope.parameters, "parameter", "the job has none")
            case ("matrix", one):
                self._among(token, one, scope.matrix, "key of the matrix", "the job has none")
            case ("needs", one, *rest):
                self._check_need(token, one, rest)
            case ("parameters" | "matrix" | "needs",):
                self._fail(token, f"{path[0]} is not a value by itself", f"write {path[0]}.NAME")
            case _:
                self._unknown(token, path[0], [*PLAIN_NAMES, "parameters", "matrix", "needs"], "name")

    def _check_need(self, token: _Token, job: str, rest: list[str]) -> None:
        if self._scope.needs is None:
            self._fail(
                token, "results of other jobs are known only in `if`", "in a step, use the variables NEEDS_<JOB>_<KEY>"
            )
        self._among(token, job, self._scope.needs, "job among its needs", "it needs none")
        match rest:
            case ["state"] | ["results", _]:
                return
            case [one, *_] if one not in {"state", "results"}:
                self._unknown(token, one, ["state", "results"], "fact of a needed job")
            case _:
                self._fail(token, f"needs.{job} is not a value by itself", f"write needs.{job}.state")

    def _among(self, token: _Token, name: str, known: tuple[str, ...], what: str, none: str) -> None:
        if name not in known:
            self._unknown(token, name, known, what, none)

    def _unknown(self, token: _Token, name: str, known: Iterable[str], what: str, none: str = "") -> NoReturn:
        names = list(known)
        guess = nearest(name, names)
        remedy = f"did you mean {guess}?" if guess else f"there are: {', '.join(names)}" if names else none
        if name in _ELSEWHERE:
            remedy = f"write {_ELSEWHERE[name]}"
        self._fail(token, f"there is no {what} {name[:40]!r}", remedy)


def _usage(name: str) -> str:
    return {"choose": "choose(CONDITION, 'THEN', 'ELSE')", "hash": "hash('GLOB')"}.get(name, f"{name}(TEXT, PART)")


ANYTHING = 64
"""Expressions that are kept parsed. Larger: a pipeline of more conditions is parsed once; each costs some KiB."""


class _Anything(tuple[str, ...]):
    """Every name is in it: what was checked when it was defined needs no scope any more."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        return True


_ANY = Scope(_Anything(), _Anything(), _Anything(), hashes=True)


@lru_cache(ANYTHING)
def checked_expression(text: str) -> Expression:
    """Return an expression that was checked when its job was defined. Raises InvalidInput where it was not."""
    return parse_expression(text, _ANY)
