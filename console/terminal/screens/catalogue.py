"""The main screens by name. Imported one at a time, when somebody goes there: the first one is on the screen sooner."""

from importlib import import_module

from .base import Place

_MODULES: dict[str, tuple[str, str]] = {
    "overview": ("overview", "OverviewScreen"),
    "builds": ("builds", "BuildsScreen"),
    "jobs": ("jobs", "JobsScreen"),
    "agents": ("agents", "AgentsScreen"),
    "tasks": ("tasks", "TasksScreen"),
    "pipelines": ("pipelines", "PipelinesScreen"),
    "schedules": ("schedules", "SchedulesScreen"),
    "store": ("store", "StoreScreen"),
}


def make(place: str) -> Place:
    """Return a new main screen."""
    module, name = _MODULES[place]
    found: type[Place] = getattr(import_module(f".{module}", __package__), name)
    return found()
