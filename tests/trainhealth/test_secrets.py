"""Text of foreign origin is shown without the secrets in it, and otherwise as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import column, run

from trainhealth.event_tables import problems
from trainhealth.secrets import redacted
from trainhealth.thresholds.origin import Origin

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("401 for sk-proj-0123456789abcdefABCDEF!", "401 for (not shown)!"),
        ("HF said no to hf_AbCdEfGhIjKlMnOpQrStUvWx.", "HF said no to (not shown)."),
        ("push with ghp_0123456789abcdefghijABCDEFGHIJ012345", "push with (not shown)"),
        (f"token {JWT} expired", "token (not shown) expired"),
        ("key AIzaSyA0123456789abcdef", "key (not shown)"),
        ("Authorization: Bearer abc123.def-456 refused", "Authorization: Bearer (not shown) refused"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic (not shown)"),
        ("GET https://me:hunter2@firm.example/x failed", "GET https://me:(not shown)@firm.example/x failed"),
        ("redis://:hunter2@db:6379/0", "redis://:(not shown)@db:6379/0"),
        (
            "GET https://h.example/a?step=3&token=12345&api_key=k1&sig=a%2Fb&page=2: 403",
            "GET https://h.example/a?step=3&token=(not shown)&api_key=(not shown)&sig=(not shown)&page=2: 403",
        ),
        ("?X-Amz-Signature=ab12&X-Amz-Date=2026", "?X-Amz-Signature=(not shown)&X-Amz-Date=2026"),
        ("vllm --hf-token=abcd --port=80", "vllm --hf-token=(not shown) --port=80"),
        ("""{"api_key": "abc", "n": 1}""", """{"api_key": "(not shown)", "n": 1}"""),
        ("WANDB_API_KEY=0123abcd python x.py", "WANDB_API_KEY=(not shown) python x.py"),
        ("cookie='a=b' sent", "cookie='(not shown)' sent"),
        ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/(not shown)"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- left", "(not shown) left"),
        ("-----BEGIN PRIVATE KEY-----\nMII", "(not shown)"),
    ],
)
def test_just_the_secret_part_is_replaced(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "prompt of 9000 tokens exceeds max_token=8192", "token=4096 of 8192", "Unexpected token: }", "step=3, kl=0.02",
        "Basic training is over", "the bearer responsibility", "sk-learn-compatible-pipeline", "see https://h.example/a?step=3&page=2",
        "user@host.example", "commit 0123456789abcdef0123456789abcdef01234567", "sigma=25.0, pattern=a*, patience=3",
        "Basic accuracy=0.91", "10:31:02 worker-3: KeyError: 'token'", "AIRPORT task-0123456789abcdef",
    ],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789 .,:;()/+%\n", max_size=200)


@given(WORDS)
def test_words_and_numbers_stay(text: str) -> None:
    assert redacted(text) == text


@given(st.text(max_size=200))
def test_any_text_is_taken_and_twice_is_once(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@given(WORDS, st.text(alphabet="abcdefABCDEF0123456789", min_size=16, max_size=40), WORDS)
def test_a_token_is_gone_wherever_it_stands(before: str, key: str, after: str) -> None:
    assert key not in redacted(f"{before} sk-9{key} {after}")


def test_long_text_takes_no_long_time() -> None:
    start = time.process_time()
    for part in ("a", "-", "a-", "://", "?a", "sk-", "Bearer ", "eyJ", "://a:"):
        redacted(part * 50_000)
    assert time.process_time() - start < 10


def test_messages_of_events_and_errors_of_thresholds_go_through_it() -> None:
    (row,) = problems([{"_time": 1767225600.0, "message": "no sk-0123456789abcdef", "level": "error"}])
    assert row["message"] == "no (not shown)"
    assert "hunter2" not in str(Origin("t.yaml", 3).error("no address: https://me:hunter2@h.example"))


@pytest.mark.parametrize("name", ["session_cookie", "cookies", "github.pat", "pat", "blob.sig"])
def test_more_names_of_secrets(name: str) -> None:
    assert run({"reward": column([1.0])}, config={name: "s3cr3t"}).summary().config == {name: "(not shown)"}


@pytest.mark.parametrize("name", ["pattern", "patience", "sigma", "signal", "path"])
def test_names_like_these_are_none(name: str) -> None:
    assert run({"reward": column([1.0])}, config={name: 7}).summary().config == {name: "7"}
