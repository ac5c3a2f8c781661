"""A scroll bar in one column, for listings and logs whose whole length may not be known. Pure."""


def bar_at(  # noqa: PLR0913 - two places and two lengths
    y: int, height: int, top: int, length: int, *, more_before: bool = False, more_after: bool = False
) -> str:
    """Return the bar's character on line `y` of `height`: of `length` lines those from `top` on are visible.

    Arrows at its ends say that there is more than what is counted in `length`.
    """
    if length <= height and not more_before and not more_after:
        return " "
    if y == 0 and more_before:
        return "▲"
    if y == height - 1 and more_after:
        return "▼"
    size = max(1, height * height // max(length, 1))
    begin = (height - size) * top // max(1, length - height)
    return "█" if begin <= y < begin + size else "│"
