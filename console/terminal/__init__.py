"""The terminal console: what people keep open all day. The only place that knows Textual.

`app` puts it together; `screens/` has one module for each screen. `painted` draws lines in the theme's tones, `cells`
fits texts of strangers into columns, `table` shows windows over listings, `logview` logs of any length, as
`tabledrawing` and `logdrawing` draw them; `dialogs` ask, `doing` does what was asked for, `palette` finds it by name.
All data comes through a feed (console/feed).
"""
