"""What every store must do, as tests that a provider of one's own runs: `pytest --pyargs`.

    pytest -p job_orchestra.store.suite.plugin --pyargs job_orchestra.store.suite --store-url 'shelf:///{folder}/{number}.shelf'

`--store-url` is how a new, empty store is opened: `{folder}` is an empty directory, `{number}` another number each
time. Or a test module of one's own takes all tests over and says itself what `make`, a fixture of module scope, opens:

    from job_orchestra.store.suite.whole import *

Needs pytest and hypothesis (`pip install 'job-orchestra[test]'`). Nothing in the agent imports it. It imports core and
the store's contract, and no kind of store but the one in memory, which is the model that sums are compared with.
"""
