"""What all tests share: how Hypothesis behaves."""

import os

from hypothesis import HealthCheck, settings

# Machines that run the tests are slow and busy: time is never a reason to fail.
_calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("default-calm", _calm)
settings.register_profile("ci", _calm, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default-calm")
