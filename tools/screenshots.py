"""Makes the pictures in docs/pictures: the console at a real network of three agents, with real builds, dark and light.

`python -m tools.screenshots [NAME...]` makes all, or those that are named. They show what is there at that moment, so
they differ each time; make them anew when a screen has changed.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from job_orchestra import connect
from job_orchestra.agent.paths import Paths
from job_orchestra.console.feed.live import LiveFeed
from job_orchestra.console.feed.places import Local
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.session import Session

from .bench.temporary import network

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"

SIZE = (104, 30)

PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "overview": ("overview", ()),
    "filter": ("builds", ("slash", *"state:failed", "enter")),
    "build": ("builds", ("slash", *"state:failed", "enter", "enter")),
    "pipeline": ("pipelines", ("enter",)),
    "trigger": ("jobs", ("slash", *"deploy", "enter", "t")),
    "agents": ("agents", ()),
    "store": ("store", ("enter",)),
    "confirm": ("builds", ("slash", *"state:failed", "enter", "r")),
}
"""Name of a picture -> the screen it begins at, the keys that are pressed there."""

THEMES = ("dark", "light")

_JOBS = r"""
project: shop
jobs:
  lint: |
    printf '\033[1mruff check .\033[0m\n\033[32mAll checks passed!\033[0m\n'
  test:
    needs: lint
    parameters:
      - { name: marker, description: "which tests, as pytest -m has it", default: "" }
      - { name: broken, description: "whether the cart is broken", default: "no", choices: ["no", "yes"] }
    matrix: { python: ["3.11", "3.12", "3.13"] }
    steps:
      - name: install
        run: for one in click msgspec pyzmq textual; do printf 'fetching %s ... \033[32mok\033[0m\n' $one; done
      - name: unit
        run: |
          for one in 1 2 3 4 5 6 7 8 9; do
            printf 'tests/test_cart.py::test_total[%s] \033[32mPASSED\033[0m\n' $one
          done
          if [ $PARAM_BROKEN = yes ]; then
            printf 'tests/test_cart.py::test_refund \033[31mFAILED\033[0m\n\n'
            printf '\033[31mE   AssertionError: 12 != 13\033[0m\n'
            exit 1
          fi
          echo "coverage=93.1" > $ORCHESTRA_RESULTS
  manual: { needs: lint, run: "echo wrote 84 pages" }
  package: { needs: [test, manual], run: "echo wrote dist/shop-1.4.0.tar.gz" }
  deploy:
    needs: package
    description: puts the shop where people see it
    parameters:
      - { name: target, description: "where to", required: true, choices: [stage, live] }
      - { name: note, description: "what the team is told", default: "" }
    lock: release
    run: echo deployed to $PARAM_TARGET
  soak: { description: "hours of it", run: "i=0; while true; do i=$((i+1)); echo round $i; sleep 1; done" }
  audit: { description: "what is known to be broken", run: "echo 3 known holes; exit 1" }
schedules:
  nightly: { cron: "0 3 * * *", timezone: Europe/Paris, jobs: [test] }
  weekly: { cron: "0 5 * * 1", timezone: Europe/Paris, jobs: [soak] }
"""


def main(arguments: list[str]) -> int:
    """Make the pictures."""
    unknown = [name for name in arguments if name not in PICTURES]
    if unknown:
        print(f"there is no picture {unknown[0]!r}; there are: {', '.join(PICTURES)}", file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    with network(3, "--slots", "2", names=("anna", "bert", "cora")) as members:
        _work(members[0].data)
        for theme in THEMES:
            for name in arguments or PICTURES:
                target = FOLDER / f"{name}-{theme}.svg"
                target.write_text(asyncio.run(_picture(members[0].data, name, theme)), encoding="utf-8")
                print(f"wrote {target.relative_to(FOLDER.parent.parent)}")
    return 0


def _work(data: Path) -> None:
    """Have builds run: some that are over, one that failed, some that go on."""
    with connect(data) as net:
        net.jobs.apply(_JOBS)
        for broken in ("no", "no", "yes", "no"):
            found = net.call("builds.submit", job="shop/package", parameters={"broken": broken})
            net.call("pipelines.wait", id=found.pipeline, timeout=60)
        for job, parameters in (("shop/audit", {}), ("shop/deploy", {"target": "stage"})):
            found = net.call("builds.submit", job=job, parameters=parameters)
            net.call("builds.wait", id=found.builds[-1].id, timeout=60)
        for _ in range(8):
            net.call("builds.submit", job="shop/soak")


async def _picture(data: Path, name: str, theme: str) -> str:
    place, keys = PICTURES[name]
    session = Session()
    session.state.place, session.state.theme = place, theme
    app = Console(LiveFeed(Local(Paths(data).scripting, data)), session=session)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(3.0)  # the sparklines have something to show
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.2)
        await pilot.pause(1.0)
        return _plain(app.export_screenshot(title="orchestra console", simplify=True))


def _plain(picture: str) -> str:
    """Return a picture that fetches nothing from anywhere, and whose texts begin where their letters do.

    The reader's own font is used. Some programs leave out the blanks that a text begins with, and so draw it too far to
    the left.
    """
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    picture = re.sub(r"font-family: Fira Code[^;]*;", "font-family: monospace;", picture)
    return _TEXT.sub(_begun, picture)


_TEXT = re.compile(
    r'(<text [^>]*?x=")([\d.]+)("[^>]*? textLength=")([\d.]+)("[^>]*>)((?:&#160;)*)(.*?)((?:&#160;)*)</text>'
)
_BLANK = "&#160;"
_CELL = 12.2  # how wide a letter is drawn


def _begun(found: re.Match[str]) -> str:
    head, x, middle, length, end, before, text, after = found.groups()
    if not text:
        return ""
    left, right = (part.count(_BLANK) * _CELL for part in (before, after))
    return f"{head}{float(x) + left:g}{middle}{float(length) - left - right:g}{end}{text}</text>"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
