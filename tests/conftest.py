import os

pytest_plugins = ["pytester"]

for name in [name for name in os.environ if name.startswith("AXIOM_")]:
    del os.environ[name]  # no session that a test starts is to ask a real server
