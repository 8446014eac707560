"""How all tests are run: hypothesis draws the same examples every time and on a machine of any speed."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("steady")

for name in [name for name in os.environ if name.startswith("AXIOM_")]:
    del os.environ[name]  # no session that a test starts is to ask a real server
