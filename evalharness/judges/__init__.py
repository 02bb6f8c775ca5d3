"""Rubric and item to verdict: prompts, parsing, and one file per protocol."""
