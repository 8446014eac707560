"""Wiring only: what the suite is made of."""

pytest_plugins = [
    "fixtures.command_line",
    "fixtures.options",
    "fixtures.publishing",
    "fixtures.runs",
    "fixtures.checkpoint",
    "fixtures.events",
    "fixtures.sweeps",
    "fixtures.comparison",
    "fixtures.games",
    "fixtures.criterion",
    "reports.collect",
    "reports.publish",
    "reports.terminal",
    "reports.html",
    "reports.verdict_json",
    "reports.github",
    "reports.quiet",
    "reports.tracker",
    "reports.sweep_json",
    "reports.suggest",
]
