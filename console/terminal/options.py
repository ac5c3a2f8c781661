"""Lists of short texts of which one is lit up: what is lit up, and what is chosen, is told without colours, too."""

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import OptionList, SelectionList

_REVERSED = Style(reverse=True)


class Options(OptionList):
    """A list in which the line one stands on is seen where there are no colours."""

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        return _lit(self, y, super().render_line(y))


class Ticks(SelectionList[str]):
    """A list of which several are chosen, which is told by a sign."""

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        line = super().render_line(y)
        place = self.scroll_offset.y + y
        if place < self.option_count and self.get_option_at_index(place).value not in self.selected:
            left, (_, style, _), *rest = line
            line = Strip([left, Segment(" ", style), *rest], line.cell_length)
        return _lit(self, y, line)


def _lit(options: OptionList, y: int, line: Strip) -> Strip:
    if "nocolor" in options.pseudo_classes and options.scroll_offset.y + y == options.highlighted:
        return Strip(Segment.apply_style(line, post_style=_REVERSED), line.cell_length)
    return line
