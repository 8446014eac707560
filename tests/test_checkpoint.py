"""pytest --run-id RUN --checkpoint NAME, as it is started: the run as one checkpoint saw it, and what is decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from session import SoundSession


class Session(SoundSession):
    columns = 900

    def __init__(self, reports: Path, run: str, *arguments: str) -> None:
        super().__init__(reports, "--run-id", run, "--events", "none", *arguments)
        self.page, file = reports / run / "report.html", reports / run / "verdict.json"
        self.document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    @property
    def judged(self) -> dict[str, str]:
        return {one["criterion"]: one["verdict"] for one in self.document["judgements"]}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_last_healthy_checkpoint_lies_before_the_collapse(tmp_path: Path, workers: list[str]) -> None:
    """The KL of the demo is 392,000 at step 121; learning is off in this profile, as it never learned."""
    session = Session(tmp_path, "demo-collapsed", "--checkpoint", "adapter_v150", "--profile", "smoke", *workers)
    assert session.status == 1
    assert session.document["decision"] == "reject"
    assert session.document["candidate"]["name"] == "grpo-demo-collapsed_adapter_v150"
    assert session.document["candidate"]["last_healthy"] == "grpo-demo-collapsed_adapter_v120"
    assert session.document["summary"]["last_step"] == 150
    assert "reject grpo-demo-collapsed_adapter_v150" in session.output
    assert "is grpo-demo-collapsed_adapter_v120 (WARN)" in session.page.read_text(encoding="utf-8")


def test_what_came_later_does_not_fail_a_checkpoint(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-collapsed", "--checkpoint", "100")
    for id_ in ("stability.non_finite_values", "stability.kl_level", "stability.kl_spikes"):
        assert session.judged[id_] == "PASS"
    for id_ in ("integrity.run_state", "integrity.completion"):
        assert session.judged[id_] == "NOT_APPLICABLE"
    assert session.judged["learning.early_reward_drop"] == "FAIL"  # which was before
    assert session.document["candidate"]["last_healthy"] is None


def test_a_healthy_checkpoint_is_promoted(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "adapter_v190")
    assert session.status == 0
    assert session.document["decision"] == "promote"
    assert session.document["candidate"]["last_healthy"] is None


def test_what_is_too_early_to_tell_is_held(tmp_path: Path) -> None:
    session = Session(tmp_path, "demo-healthy", "--checkpoint", "adapter_v10")
    assert session.status == 10
    assert session.document["decision"] == "hold"


@pytest.mark.parametrize(
    ("run", "name", "said"),
    [
        (
            "demo-healthy",
            "adapter_v55",
            "is no checkpoint that the run rates; these are: grpo-demo-healthy_adapter_v0,",
        ),
        ("demo-healthy", "v", "is no checkpoint"),
        ("demo-healthy", "", "is no checkpoint"),
        ("demo-healthy,demo-collapsed", "adapter_v50", "here are 2 runs"),
    ],
)
def test_names_that_cannot_be_meant(tmp_path: Path, run: str, name: str, said: str) -> None:
    session = Session(tmp_path, run, "--checkpoint", name)
    assert session.status == 4
    assert said in session.output
