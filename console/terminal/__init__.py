"""The terminal console: what people keep open all day. The only place that knows Textual.

`app` puts it together; `screens/` has one module for each screen. `painted` draws lines in the theme's tones, `cells`
fits texts of strangers into columns, `table` shows windows over listings, `logview` logs of any length; `dialogs` ask,
`doing` does what was asked for, `palette` finds them by name. All data comes through a feed (console/feed).
"""
