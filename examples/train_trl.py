"""Real training, small enough for one core: TRL's GRPOTrainer on a random model of 40,000 weights, wandb offline.

    pip install -e '.[train]'                               # not part of the suite's install; torch for the CPU will do
    python examples/train_trl.py healthy --out runs
    pytest --run-id trl-healthy --wandb-dir runs            # the run as wandb logged it
    pytest --run-id runs/healthy                            # or the newest trainer_state.json
    python examples/train_trl.py --list

The model writes letters; a completion ends where it writes the end mark. The task is to write vowels; the form is to
write no more than ten letters. Nothing is downloaded, and nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmno"
VOWELS = frozenset("aeio")
SHORT = 10
STEPS = 200


def accuracy_reward(completions: list[str], **_: Any) -> list[float]:
    """The task: share of vowels among the letters."""
    return [sum(letter in VOWELS for letter in text) / max(len(text), 1) for text in completions]


def format_reward(completions: list[str], **_: Any) -> list[float]:
    """The form: short, but not empty."""
    return [float(0 < len(text) <= SHORT) for text in completions]


def constant_reward(completions: list[str], **_: Any) -> list[float]:
    """The same for all."""
    return [1.0] * len(completions)


Reward = Callable[..., list[float]]


@dataclass(frozen=True)
class Scenario:
    """One way to train: what it shows, rewards with their weights, options of GRPOConfig."""

    shows: str
    rewards: Mapping[Reward, float] = field(default_factory=lambda: {accuracy_reward: 1.0, format_reward: 0.2})
    options: Mapping[str, Any] = field(default_factory=dict)


SCENARIOS = {
    "healthy": Scenario("learns the task"),
    "lr_x100": Scenario("a learning rate of 100 x", options={"learning_rate": 3e-3}),
    "beta_0": Scenario("no KL penalty and no reference policy", options={"beta": 0.0}),
    "constant_reward": Scenario("every completion is worth the same", {constant_reward: 1.0}),
    "truncated": Scenario("completions are cut at 8 tokens", options={"max_completion_length": 8}),
    "format_only": Scenario("the form alone is paid for", {accuracy_reward: 0.0, format_reward: 1.0}),
}


def train(name: str, out: Path, steps: int, seed: int) -> None:
    """Train one scenario: its W&B run goes to out/wandb, its checkpoints with their trainer_state.json to out/name."""
    os.environ.update(HF_HUB_OFFLINE="1", WANDB_MODE="offline", WANDB_ERROR_REPORTING="false", OMP_NUM_THREADS="1")
    import torch
    import wandb
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(1)
    scenario = SCENARIOS[name]
    (out / name).mkdir(parents=True)
    os.chdir(out)  # so that no path of this machine gets into the run's config
    options: dict[str, Any] = {
        "output_dir": name,
        "run_name": f"grpo-{name}",
        "report_to": ["wandb"],
        "seed": seed,
        "max_steps": steps,
        "learning_rate": 3e-5,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 10,
        "beta": 0.1,
        "per_device_train_batch_size": 64,
        "num_generations": 8,
        "max_completion_length": 64,
        "reward_weights": list(scenario.rewards.values()),
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": max(1, steps // 2),
        "save_only_model": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
        **scenario.options,
    }
    # Nothing of the machine or its user is recorded.
    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
        host="demo",
        program="train_trl.py",
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
    wandb.init(project="train-trl", id=f"trl-{name.replace('_', '-')}", name=f"grpo-{name}", settings=settings)
    random.seed(seed)
    prompts = ["".join(random.choices(LETTERS, k=4)) for _ in range(256)]
    torch.manual_seed(seed)
    _model().save_pretrained(f"{name}/start")  # a path, as the reference policy is loaded from it once more
    trainer = GRPOTrainer(
        model=f"{name}/start",
        reward_funcs=list(scenario.rewards),
        args=GRPOConfig(**options),
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=_tokenizer(),
    )
    trainer.train()
    wandb.finish()


def _tokenizer() -> Any:
    """One token a letter, and the marks for padding and the end."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<end>", *LETTERS]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>", unk_token="<pad>", padding_side="left"
    )


def _model() -> Any:
    """A Llama with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(LETTERS) + 2,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=128,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS)
    parser.add_argument("--list", action="store_true", help="what each scenario shows")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.list or given.scenario is None:
        print("\n".join(f"{name:16} {scenario.shows}" for name, scenario in SCENARIOS.items()))
    else:
        train(given.scenario, given.out, given.steps, given.seed)


if __name__ == "__main__":
    main()
