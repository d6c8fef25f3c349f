"""Property tests judge results, never how long a busy machine takes for them."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
