"""What reports are told of a run's configuration."""

from __future__ import annotations

import pytest
from synthetic import column, run

from trainhealth.run import MOST_CONFIG
from trainhealth.sweeps import run_sheet
from trainhealth.verdicts import RunSummary


def test_a_config_is_told_in_order_and_briefly() -> None:
    config = {"z": 1, "a": {"deep": True}, "long": "x" * 1000, "none": None, "_wandb.version": "1"}
    shown = run({"reward": column([1.0])}, config=config).summary().config
    assert list(shown) == ["a", "long", "z"]
    assert shown["z"] == "1"
    assert len(shown["long"]) == 161
    odd = run({"reward": column([1.0])}, config={"a\ud800": "b\udfff"}).summary()
    assert RunSummary.model_validate_json(odd.model_dump_json()).config == {"a\\ud800": "b\\udfff"}
    many = run({"reward": column([1.0])}, config={f"k{i}": i for i in range(1000)}).summary().config
    assert len(many) == MOST_CONFIG


@pytest.mark.parametrize(
    "name",
    [
        "hf_token",
        "openai.api_key",
        "WANDB_API_KEY",
        "db.password",
        "client_secret",
        "token",
        "aws.access_key_id",
        "passphrase",
        "db_pwd",
        "openai_key",
        "shared_key",
        "github_token",
        "slack_webhook",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(name: str) -> None:
    assert run({"reward": column([1.0])}, config={name: "s3cr3t"}).summary().config == {name: "(not shown)"}


@pytest.mark.parametrize(
    "name", ["max_tokens", "eos_token", "image_token", "tokenizer", "num_output_tokens", "keyboard", "pad_token_id"]
)
def test_other_names_are(name: str) -> None:
    assert run({"reward": column([1.0])}, config={name: 7}).summary().config == {name: "7"}


@pytest.mark.parametrize(
    "value",
    [
        "hf_AbCdEfGhIjKlMnOpQrStUvWx", "sk-proj-0123456789abcdefABCDEF", "0123456789abcdef0123456789abcdef01234567",
        "postgresql://me:s3cr3t@db/runs", "Bearer eyJhbGciOiJIUzI1NiJ9", "xaat-01234567-89ab-cdef-0123-456789abcdef",
        ["--key", "ghp_0123456789abcdefghijABCDEFGHIJ012345"], ["--password=hunter2"], {"OPENAI_API_KEY": "abc"},
        "OPENAI_API_KEY=abc", [{"name": "OPENAI_API_KEY", "value": "abc"}], "https://hooks.slack.com/services/T0/B0/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "Basic bWU6czNjcjN0", "AIzaSyA0123456789abcdef", "--hf-token: abc",
    ],
)  # fmt: skip
def test_nor_what_looks_like_one_under_another_name(value: object) -> None:
    secretive = run({"reward": column([1.0])}, config={"notes": value, "lr": 1e-5})
    assert secretive.summary().config == {"lr": "1e-05", "notes": "(not shown)"}
    assert run_sheet(secretive).config == {"notes": "(not shown)", "lr": 1e-5}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("git_commit", "0123456789abcdef0123456789abcdef01234567"),
        ("model", "Qwen/Qwen3-8B"),
        ("betas", "(0.9, 0.95)"),
        ("key", "dataset=gsm8k"),
        ("tokenizer", "pad_token=x"),
        ("url", "http://host:80/a"),
    ],
)
def test_other_values_are(name: str, value: str) -> None:
    assert run({"reward": column([1.0])}, config={name: value}).summary().config == {name: value}
