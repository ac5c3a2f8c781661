"""The whole suite in one name, for a test module that takes all of its tests over and says itself what `make` opens."""

from .fixtures import *  # noqa: F403 - the stores that the tests are given
from .test_copies import *  # noqa: F403
from .test_counting import *  # noqa: F403
from .test_finding import *  # noqa: F403
from .test_refusals import *  # noqa: F403
from .test_remembering import *  # noqa: F403
from .test_sums import *  # noqa: F403
from .test_upkeep import *  # noqa: F403
from .test_writing import *  # noqa: F403
