"""Properties are checked without a deadline: a busy machine must not fail them."""

from hypothesis import settings

settings.register_profile("metrics", deadline=None)
settings.load_profile("metrics")
