"""How the console looks: dark, light, and the terminal's own colours, which NO_COLOR gets. Calm on purpose.

A theme says what each tone looks like; nothing else in the console names a colour.
"""

from textual.theme import Theme

DARK = Theme(
    name="dark",
    primary="#6cb2eb",
    secondary="#c792ea",
    accent="#7fdbca",
    success="#8bc34a",
    warning="#e5b567",
    error="#ef6b73",
    foreground="#c9d1d9",
    background="#0f1419",
    surface="#151b22",
    panel="#1c242d",
    variables={
        "cursor": "#25384d",
        "match": "#4a4420",
        "match-text": "#f2e6b1",
        "text-muted": "#7d8996",
        "footer-key-foreground": "#7fdbca",
    },
)

LIGHT = Theme(
    name="light",
    dark=False,
    primary="#0b5cad",
    secondary="#7b2fa8",
    accent="#00696b",
    success="#2b7a0b",
    warning="#8a5a00",
    error="#b3202c",
    foreground="#1f2933",
    background="#fbfbf9",
    surface="#f1f1ee",
    panel="#e6e7e4",
    variables={
        "cursor": "#cfe1f3",
        "match": "#f5e6a3",
        "match-text": "#3d3200",
        "text-muted": "#5f6b76",
        "footer-key-foreground": "#00696b",
    },
)

TERMINAL = Theme(
    name="terminal",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_magenta",
    accent="ansi_cyan",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "ansi-background": "ansi_default",  # these two are named by Textual's own styles where a theme is `ansi`
        "ansi-foreground": "ansi_default",
        "cursor": "ansi_default",
        "match": "ansi_default",
        "match-text": "ansi_default",
        "text-muted": "ansi_default",
        "footer-key-foreground": "ansi_cyan",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_blue",
    },
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT, TERMINAL)}
"""By name, in the order in which the key for it goes through them."""
