"""The published suite over each kind of store that comes with the project; and that a ledger comes back from each."""

from hypothesis import given, settings
from hypothesis import strategies as st

from job_orchestra.core.commands import Command
from job_orchestra.core.ledger import Ledger
from job_orchestra.store.contract import Store, batch_of
from job_orchestra.store.suite.fixtures import emptied, examples
from job_orchestra.store.suite.whole import *  # noqa: F403 - its tests are ours
from tests.kit.databases import QUOTED
from tests.kit.lives import lives


def test_a_ledger_comes_back_from_the_store(store: Store) -> None:
    @settings(max_examples=examples(store, 20))
    @given(lives, st.data())
    def check(life: list[Command], data: st.DataObject) -> None:
        emptied(store)
        ledger = Ledger()
        steps = life[:20] if store.url.startswith("json:") else life  # it writes files at each of them
        for index, command in enumerate(steps, 1):
            assert store.write(batch_of(ledger.apply(index, [command])[1]))
            if data.draw(st.booleans()):
                assert Ledger(store.live(0)).digest() == ledger.digest()
        assert Ledger(store.live(0)).digest() == ledger.digest()

    check()


def test_the_url_tells_no_password(store: Store) -> None:
    assert QUOTED not in store.url
