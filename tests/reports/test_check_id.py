"""Node ids of checks that could not speak for themselves."""

from __future__ import annotations

import pytest

from reports.check_id import CheckId

RUNS = ("a", "a-b", "über", "x[y]@z::q")


@pytest.mark.parametrize(
    ("nodeid", "criterion", "runs"),
    [
        ("checks/stability/test_kl.py::test_kl_level[a]", "stability.kl_level", ("a",)),
        ("checks/stability/test_kl.py::test_kl_level[a]@a", "stability.kl_level", ("a",)),
        ("checks/stability/test_kl.py::test_kl_level[a-b]@a-b", "stability.kl_level", ("a-b",)),
        ("checks/stability/test_kl.py::TestKl::test_level[agent1-a]", "stability.level", ("a",)),
        ("checks/stability/test_kl.py::test_kl_level[\\xfcber]", "stability.kl_level", ("über",)),
        ("checks/stability/test_kl.py::test_kl_level[x[y]@z::q]@g", "stability.kl_level", ("x[y]@z::q",)),
        ("checks/custom/test_custom.py::test_custom[a-custom.value_loss]", "custom.value_loss", ("a",)),
        ("checks/stability/test_kl.py::test_kl_level[ab]", "stability.kl_level", RUNS),
        ("checks/stability/test_kl.py::test_kl_level@group", "stability.kl_level", RUNS),
        ("checks/stability/test_kl.py", "stability.kl", RUNS),
        ("test_kl.py::test_kl_level[a]", "test_kl.kl_level", ("a",)),
        ("", "", RUNS),
    ],
)
def test_criterion_and_runs(nodeid: str, criterion: str, runs: tuple[str, ...]) -> None:
    check = CheckId.parse(nodeid)
    assert check.criterion == criterion
    assert check.runs(RUNS) == runs
