"""Leagues whose truth is known, played many at once."""
