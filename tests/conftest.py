"""What all tests share: hypothesis without deadlines (tests are not timed) and with the same examples everywhere."""

from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("suite")
