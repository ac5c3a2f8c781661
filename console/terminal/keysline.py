"""The foot of every screen: the keys that matter here. What has no room is left to the help, with a sign."""

from textual import events
from textual.binding import ActiveBinding, Binding
from textual.strip import Strip
from textual.widgets import Input

from .cells import Part, Tone, cells
from .painted import Painted

ALWAYS = ("help", "palette(True)", "quit")
"""Actions whose keys are shown at the right, whatever else there is."""


class KeysLine(Painted):
    """One line of keys, each of which can be clicked."""

    DEFAULT_CSS = """
    KeysLine { height: 1; dock: bottom; background: $panel; }
    """

    def __init__(self) -> None:
        """Show the keys of the screen that this is on."""
        super().__init__()
        self._places: list[tuple[int, int, ActiveBinding]] = []  # from, to, what a click there does

    def on_mount(self) -> None:
        """Follow what can be done."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        """See Widget."""
        width = self.size.width
        shown, fixed = self._keys()
        right = sum(cells(key) + cells(says) + 3 for key, says, _ in fixed)
        self._places = []
        line: list[Part] = []
        used = 0
        for number, (key, says, active) in enumerate(shown):
            length = cells(key) + cells(says) + 3
            rest = len(shown) - number - 1
            if used + length + right + (2 if rest else 0) > width:
                line.append((" …", Tone.DIM))
                used += 2
                break
            line += [(f" {key}", Tone.ACCENT), (f" {says} ", Tone.DIM)]
            self._places.append((used, used + length, active))
            used += length
        line.append((" " * max(0, width - used - right), Tone.PLAIN))
        used = max(used, width - right)
        for key, says, active in fixed:
            length = cells(key) + cells(says) + 3
            line += [(f" {key}", Tone.ACCENT), (f" {says} ", Tone.DIM)]
            self._places.append((used, used + length, active))
            used += length
        return self.drawn(line, width)

    def _keys(self) -> tuple[list[tuple[str, str, ActiveBinding]], list[tuple[str, str, ActiveBinding]]]:
        """Return (key, what it does, binding) of those of this screen, and of those that are always there."""
        found: dict[str, tuple[str, str, ActiveBinding]] = {}
        typing = self.screen.focused if isinstance(self.screen.focused, Input) else None
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if typing is not None and active.node is not typing and not _works_while_typing(binding):
                continue  # what is typed goes into the line
            if binding.show and active.enabled and binding.action not in found:
                found[binding.action] = (self.app.get_key_display(binding), binding.description, active)
        fixed = [found.pop(action) for action in ALWAYS if action in found]
        return list(found.values()), fixed

    async def on_click(self, event: events.Click) -> None:
        """Somebody clicked on a key."""
        for begin, end, active in self._places:
            if begin <= event.x < end:
                await self.app.run_action(active.binding.action, active.node)
                return


def _works_while_typing(binding: Binding) -> bool:
    """Whether a key does what it says, though one types into a line."""
    return binding.key == "escape" or (binding.key.startswith("ctrl+") and binding.key_display is None)
