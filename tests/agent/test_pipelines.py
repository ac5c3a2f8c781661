"""Pipelines on an agent that is killed at random moments: the order is proven by what the builds wrote themselves."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.kit.agents import AgentProcess
from tests.kit.waiting import wait_until

WIDTH = 64
LAYERS = 5
KILLS = 6


def job_file() -> str:
    """Return layers of WIDTH builds, each of which needs all of the one before; then a failure, and tidying up."""
    values = ", ".join(f'"{place}"' for place in range(WIDTH))
    lines = ["project: tower", "jobs:"]
    for layer in range(LAYERS):
        said = [f'echo {what} layer{layer} $MATRIX_PLACE >> "$PARAM_WITNESS"' for what in ("begin", "end")]
        lines += [
            f"  layer{layer}:",
            f"    matrix: {{ place: [{values}] }}",
            *([f"    needs: layer{layer - 1}"] if layer else []),
            "    parameters: [{ name: witness }]",
            f"    run: {'; '.join(said)}",
        ]
    lines += [
        f"  broken: {{ needs: layer{LAYERS - 1}, run: exit 3 }}",
        "  never: { needs: broken, run: echo never }",
        "  tidy: { needs: { job: never, when: always }, run: echo tidy }",
    ]
    return "\n".join(lines)


def wrong_order(lines: Sequence[str]) -> list[str]:
    """Return what began before all of the layer below had ended, or happened more or less than once."""
    wrong: list[str] = []
    ended: dict[str, int] = {}
    for line in lines:
        what, layer, _ = line.split()
        below = f"layer{int(layer.removeprefix('layer')) - 1}"
        if what == "begin" and layer != "layer0" and ended.get(below, 0) != WIDTH:
            wrong.append(line)
        ended[layer] = ended.get(layer, 0) + (what == "end")
    wanted = sorted(
        f"{what} layer{layer} {place}" for what in ("begin", "end") for layer in range(LAYERS) for place in range(WIDTH)
    )
    return wrong if sorted(lines) == wanted else [*wrong, "something was left out, or happened twice"]


def test_the_checker_sees_what_is_wrong() -> None:
    right = [
        f"{what} layer{layer} {place}" for layer in range(LAYERS) for what in ("begin", "end") for place in range(WIDTH)
    ]
    assert wrong_order(right) == []
    assert wrong_order(right[:-1])
    assert wrong_order([*right, right[-1]])
    early = [right[2 * WIDTH], *right[: 2 * WIDTH], *right[2 * WIDTH + 1 :]]
    assert wrong_order(early) == ["begin layer1 0"]


def test_a_pipeline_goes_on_in_order_whenever_its_master_is_killed(agent: AgentProcess, tmp_path: Path) -> None:
    chance = random.Random(5)
    witness = tmp_path / "witness"
    witness.touch()
    agent.start("--slots", "4")
    with agent.client() as net:
        net.call("jobs.apply", file=job_file())
        accepted = net.call("builds.submit", job="tower", parameters={"witness": str(witness)})
    total = WIDTH * LAYERS
    assert len(accepted.builds) == total + 3

    def written() -> int:
        return witness.read_bytes().count(b"\n")

    for kill in range(KILLS):
        moment = chance.randrange(2 * total * kill // (KILLS + 1), 2 * total * (kill + 1) // (KILLS + 1))
        wait_until(lambda at=moment: written() >= at, f"{moment} lines were written")
        agent.kill()
        agent.start("--slots", "4")

    with agent.client() as net:
        found = net.call("pipelines.wait", id=accepted.pipeline).pipeline
    assert found.state == "failed"
    ends = {node.job: node.states for node in found.nodes}
    assert ends == {
        **{f"layer{layer}": {"succeeded": WIDTH} for layer in range(LAYERS)},
        "broken": {"failed": 1},
        "never": {"skipped": 1},
        "tidy": {"succeeded": 1},
    }
    assert wrong_order(witness.read_text().splitlines()) == []
