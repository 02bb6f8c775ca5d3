"""Property tests of statistics run without a time limit per example: the first one pays for heavy imports."""

from hypothesis import settings

settings.register_profile("stats", deadline=None)
settings.load_profile("stats")
