"""An independent look at pipelines: what must be true of what was seen, by the rules in their plainest form.

It looks at builds one by one and counts nothing on the way, so it cannot err as the ledger would. Fed with the changes
of a ledger, or with what real builds wrote down and real stores remember (tests/kit/lab/pipelines).
"""

from dataclasses import dataclass, field

from job_orchestra.core.commands import Command
from job_orchestra.core.definition import When
from job_orchestra.core.ledger import Ledger
from job_orchestra.core.model import Build, BuildState, Pipeline, PipelineState

BAD = {BuildState.FAILED, BuildState.ERROR, BuildState.LOST}


@dataclass
class Witness:
    """Sees all changes and remembers when what happened; knows the rules in the plainest form, build by build."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict[str, Pipeline])
    builds: dict[str, Build] = field(default_factory=dict[str, Build])
    ended: dict[str, int] = field(default_factory=dict[str, int])  # build -> when it ended
    began: dict[str, int] = field(default_factory=dict[str, int])  # build -> when it was first assigned

    def see(self, now: int, ledger: Ledger, command: Command) -> None:
        _, changes = ledger.apply(now, [command])
        self.pipelines.update(changes.pipelines)
        for build in changes.builds.values():
            assert build.id not in self.ended, "ends once"
            self.builds[build.id] = build
            if build.state.ended:
                self.ended[build.id] = now
            elif build.state is not BuildState.PENDING:
                self.began.setdefault(build.id, now)

    def of(self, pipeline: Pipeline, job: str) -> list[Build]:
        return [one for one in self.builds.values() if one.pipeline == pipeline.id and one.job == job]

    def check(self) -> None:
        for pipeline in self.pipelines.values():
            members = [one for one in self.builds.values() if one.pipeline == pipeline.id]
            assert len(members) == sum(node.count for node in pipeline.nodes)
            done = all(one.state.ended for one in members)
            assert (pipeline.state is not PipelineState.RUNNING) == done
            if done:
                assert pipeline.finished is not None
                self.check_end(pipeline, members)
            for node in pipeline.nodes:
                for need in node.needs:
                    self.check_order(pipeline, node.job, need.job, need.when)

    def check_order(self, pipeline: Pipeline, job: str, needed: str, when: When) -> None:
        before = self.of(pipeline, needed)
        states = {one.state for one in before}
        bad, good = bool(states & BAD), BuildState.SUCCEEDED in states
        stopped = bool(states & {BuildState.ABORTED, BuildState.CANCELLED})
        fine = {When.ALWAYS: True, When.SUCCESS: good and not bad and not stopped, When.FAILURE: bad}[when]
        for build in self.of(pipeline, job):
            if build.id in self.began:
                assert fine, f"{build.job} began although {needed} ended as {states}"
                assert max(self.ended[one.id] for one in before) < self.began[build.id]
            elif build.state is BuildState.SKIPPED:
                assert all(one.state.ended for one in before)

    def check_end(self, pipeline: Pipeline, members: list[Build]) -> None:
        states = {one.state for one in members}
        if pipeline.stop == "abort":
            wanted = PipelineState.ABORTED
        elif BuildState.FAILED in states:
            wanted = PipelineState.FAILED
        elif states & BAD:
            wanted = PipelineState.ERROR
        elif states & {BuildState.ABORTED, BuildState.CANCELLED}:
            wanted = PipelineState.ABORTED
        else:
            wanted = PipelineState.SUCCEEDED if BuildState.SUCCEEDED in states else PipelineState.SKIPPED
        assert pipeline.state is wanted
        for node in pipeline.nodes:
            counted = [one.state for one in self.of(pipeline, node.job)]
            assert node.ends == {state: counted.count(state) for state in set(counted)}
