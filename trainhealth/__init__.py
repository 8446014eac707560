"""Pure computing behind the training-health suite: thresholds, series, ratings, events, verdicts."""
