"""A small simulated GRPO training on a seven-player game: training curves, league and events."""
