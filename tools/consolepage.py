"""The page docs/console.md: what the console shows, and every action with its keys, from the actions that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.keys import format_key

from job_orchestra.console.terminal import keymap
from job_orchestra.console.terminal.cells import STATES
from job_orchestra.console.terminal.header import PLACES
from job_orchestra.console.terminal.screens.help import FILTERS, GROUPS
from job_orchestra.console.terminal.themes import THEMES

from .screenshots import PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

_PAGE = """\
# The console

<!-- Written by `python -m tools.reference`; the text is in tools/consolepage.py. -->

`orchestra console` shows a network in a terminal of 80 columns and 24 lines or more, live, and does what the
command line does.

{overview}

The two lines at the top are on every screen: the network, its master, the term, the quorum, the agent that is
spoken to, how long it takes to answer, and whether what one sees is live or how old it is. Under them, where there
is something to say, stands what is wrong and what to do. The line at the bottom holds the keys that matter where
one is, all of which can be clicked, too; what has no room there (`…`) is in the help (`?`), which lists every key
of the screen one is on. `:` finds any action by its name.

Where something had to be cut there is a `…`. A table that has no room for all its columns says so; `C` chooses
which are shown. Colours are never all that tells: every state has a sign.

| sign | state |
| --- | --- |
{signs}

## Screens

{screens}

Enter opens what one stands on, Escape leads back. Whatever a screen shows, `y` copies the command that shows or
does the same.

### A build

{build}

The log is read where it is, however long: it opens at its end and follows. Scrolling up ends that, `G` begins it
again. `/` looks for a regular expression, `n` and `N` go through what was found, `&` shows only lines that match,
`!` goes to the first error. An expression may look for two seconds through each MiB; one that takes longer (a
repetition in another, as in `(a|aa)+$`) is given up, and that is said. `w` wraps, `t` tells when each line came, `z`
folds a step. `V` selects lines, `Y` copies them, `A` copies all, `s` saves the whole log to a file and says where.
What a build wrote keeps its colours; everything else in it that a terminal would obey is shown and not obeyed. At 120
columns or more the details stand beside the log, else `d` shows them instead. `v` shows the files it kept, each of
which can be looked at and saved.

### A pipeline

{pipeline}

### Running a job

{trigger}

### The agents

{agents}

### The store

{store}

## Doing things

Space marks rows; what is done then is done with all of them. Whatever changes something asks first: the question
names what is meant and what comes of it, and shows the command that does the same, to be copied.

{confirm}

`W` on a build has its end told, in the console, by the terminal's bell and on the desktop.

## Filters and order

{filter}

| filter | shows |
| --- | --- |
{filters}

`o` chooses what a table is sorted by, and the same again turns it round; `O` adds a second and third column. A
click on a title does that, too. Screen, filters, columns, order and theme are remembered.

## When the agent is gone

The console says so within two seconds, with what to do; it keeps showing what it had, and counts on how old that
is. By itself it goes on with any other agent of the same network that this user may speak to on this machine, and
comes back to its own.

## Options

| option | meaning |
| --- | --- |
| `--host MACHINE` | the agent of another machine, [through ssh](guide.md#from-another-machine) |
| `--data DIR` | the agent with this data directory |
| `--readonly` | only look: what changes something is neither offered nor done |
| `--store URL` | a store alone, with no agent and no network: `sqlite:////home/ann/history.db` |
| `--web` | serve the console to a browser on this machine; prints an address that is a secret |
| `--listen HOST:PORT` | where `--web` listens, instead of a free port of 127.0.0.1 |
| `--keys` | print every action with its keys, as a file to begin one's own with |

`--web` needs the extra `web` (`pip install 'job-orchestra[web]'`). Whoever has the address can do what you can;
from another machine come through `ssh -L PORT:127.0.0.1:PORT` ([security](security.md#on-one-machine)).

## Themes

`T` goes through the themes: {themes}. The last one uses the colours of the terminal, and is what one gets where
`NO_COLOR` is set. Over ssh the console draws less often; `TEXTUAL_FPS` says how often.

## Keys

{keys}

### Other keys

`orchestra console --keys` prints the actions below as a file; its first line says where it belongs. Take the `#`
away from what you want to change, and write other keys, several with commas: `"build.abort" = "ctrl+k"`. A wrong
name is told when the console begins.
"""

_SCREENS = {
    "overview": "What runs, against how long it usually takes; what waits, and why; the agents; jobs that fail.",
    "builds": "All builds, newest first. `f` shows failed ones, `i` those that go on, `J` those of the same job.",
    "pipelines": "Builds that were submitted together. Enter shows the graph, `F` runs again what failed.",
    "jobs": "What is defined. `t` runs a job, `p` shows the graph of its project before it ever ran.",
    "agents": "Load, slots, labels. `d`, `e`, `D` disable, enable, drain; `s` changes slots; `p` lets machines in.",
    "tasks": "Everything that was asked of the network, by whom, and what came of it.",
    "schedules": "What fires next. `e` switches one on or off, `t` runs it now, Enter shows the next ten turns.",
    "store": "Every collection of whichever database there is, each record as a document.",
}

_NAMES = {"EVERYWHERE": "Everywhere", "GOING ABOUT": "Going about"}


def page() -> str:
    """Return the page."""
    signs = {sign: [one for one, (other, _) in STATES.items() if other == sign] for sign, _ in STATES.values()}
    screens = "\n".join(f"- *{title}* (`{key}`): {_SCREENS[name]}" for name, (key, title) in PLACES.items())
    return _PAGE.format(
        **{name: _picture(name) for name in PICTURES},
        signs="\n".join(f"| `{sign}` | {', '.join(names)} |" for sign, names in signs.items()),
        screens=screens,
        filters="\n".join(f"| `{example}` | {says} |" for example, says in FILTERS),
        themes=", ".join(f"`{name}`" for name in THEMES),
        keys="\n".join(_tables()),
    )


def _picture(name: str) -> str:
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="pictures/{name}-dark.svg">'
        f'<img alt="The console: {name}" src="pictures/{name}-light.svg"></picture>'
    )


def _tables() -> Iterable[str]:
    groups: dict[str, list[str]] = {}
    for name, (keys, does) in keymap.actions().items():
        heading = GROUPS.get(name.partition(".")[0], "EVERYWHERE")
        groups.setdefault(heading, []).append(f"| {_shown(keys)} | {does} | `{name}` |")
    for heading in [one for one in dict.fromkeys(GROUPS.values()) if one in groups] + ["EVERYWHERE"]:
        yield f"**{_NAMES.get(heading, heading.capitalize())}**\n"
        yield "| keys | what they do | action |\n| --- | --- | --- |"
        yield from groups[heading]
        yield ""


def _shown(keys: str) -> str:
    shown = (format_key(one.strip()) for one in keys.split(","))
    return " ".join(f"`{one}`" if one != "`" else "`` ` ``" for one in shown).replace("|", "\\|")
