"""The version of Job Orchestra; setup.cfg reads it from here."""

VERSION = "5.0.0.dev0"
