"""What the faces ask of a store: every filter and order of the console's screens and of the command line, by name.

Meant for a history as `tools/bench/store.py` makes it: PROJECTS with JOBS each, AGENTS, PEOPLE.
"""

from collections.abc import Mapping
from typing import Any

from job_orchestra.core.ids import build_id
from job_orchestra.core.model import LIVE_STATES
from job_orchestra.store.asking import conditions, orders
from job_orchestra.store.query import Query

PROJECTS = tuple(f"project-{number}" for number in range(5))
JOBS = tuple(f"job-{number}" for number in range(10))
AGENTS = tuple(f"agent-{number:02}" for number in range(40))
PEOPLE = tuple(f"person-{number:02}@host" for number in range(20))


def asked(collection: str = "builds", order: str = "", search: str = "", limit: int = 50, **where: Any) -> Query:  # noqa: ANN401 - as clients write it
    """Return a query as the agent makes it from what a client asks for."""
    return Query(collection, tuple(conditions(where)), orders(order), limit, None, search)


def offered(builds: int, at: int) -> Mapping[str, Query]:
    """Return the queries, for a store of so many builds, of which the one in the middle was created at an instant."""
    middle, project, job = builds // 2, PROJECTS[1], JOBS[2]
    named: dict[str, Any] = {"project": project, "job": job}
    bad = ["error", "failed", "lost"]
    return {
        "builds": asked(order="-created"),
        "oldest first": asked(order="created"),
        "state": asked(state="failed"),
        "live": asked(state=sorted(LIVE_STATES)),
        "bad": asked(state=bad),
        "project": asked(project=project),
        "bad of a project": asked(project=project, state=bad),
        "job": asked(**named),
        "job, oldest first": asked(order="created", **named),
        "job, by number": asked(order="-number", limit=1, **named),
        "state of a job": asked(state=["lost"], **named),
        "bad of a job": asked(state=bad, **named),
        "job of any project": asked(job=job),
        "job that there is not": asked(job="nowhere"),
        "job by its beginning": asked(job={"prefix": "job-2"}),
        "project by its beginning": asked(project={"prefix": "project-3"}),
        "number of a job": asked(number=77, **named),
        "numbers of a job": asked(number={"gt": 40}, **named),
        "number of any job": asked(number=77),
        "numbers of any job of a project": asked(number=[5, 77], project=project),
        "number of any job on an agent": asked(number=77, agent=AGENTS[7]),
        "number of any job with a word": asked(number=7, search="timeout"),
        "agent": asked(agent=AGENTS[7]),
        "bad of an agent": asked(agent=AGENTS[7], state=bad),
        "agent that there is not": asked(agent="nowhere"),
        "requester": asked(requester=PEOPLE[3]),
        "requester by its beginning": asked(requester={"prefix": "person-1"}),
        "bad of a requester": asked(requester=PEOPLE[3], state=bad),
        "requester and agent": asked(requester=PEOPLE[3], agent=AGENTS[7]),
        "cause": asked(cause="submit"),
        "cause that is rare": asked(cause=f"rerun of {build_id(5)}"),
        "pipeline": asked(pipeline="p-77"),
        "id": asked(id=build_id(middle)),
        "beginning of an id": asked(id={"prefix": build_id(middle)[:4]}, order="id", limit=2),
        "since": asked(created={"ge": at}),
        "until": asked(created={"lt": at}),
        "of a job since": asked(created={"ge": at}, **named),
        "state since": asked(created={"ge": at}, state="lost"),
        "ended since": asked(finished={"ge": at}),
        "by state": asked(order="state"),
        "by job": asked(order="project,job"),
        "by job, last first": asked(order="-project,-job"),
        "by requester": asked(order="requester"),
        "by id": asked(order="id"),
        "word": asked(search="timeout"),
        "beginning of a word": asked(search="time"),
        "two words": asked(search="timeout lint"),
        "word that all have": asked(search="project"),
        "word and state": asked(search="timeout", state="failed"),
        "word that there is not": asked(search="nowhere"),
        "attempts of a build": asked("attempts", build=build_id(middle), limit=1000),
        "attempts of an agent": asked("attempts", agent=AGENTS[7]),
        "attempts": asked("attempts"),
        "tasks": asked("tasks", order="-at"),
        "tasks by number": asked("tasks", order="id"),
        "tasks of a requester": asked("tasks", requester=PEOPLE[3]),
        "tasks of a kind": asked("tasks", kind="builds.abort"),
        "tasks that were refused": asked("tasks", state="refused"),
        "tasks about something": asked("tasks", target=f"{project}/{job}"),
        "word of tasks": asked("tasks", search="abort"),
        "task": asked("tasks", id=77),
        "pipelines": asked("pipelines"),
        "pipelines of a project": asked("pipelines", project=project),
        "running pipelines": asked("pipelines", state="running"),
        "jobs": asked("jobs"),
        "agents": asked("agents"),
        "agent by its name": asked("agents", name=AGENTS[7]),
    }
