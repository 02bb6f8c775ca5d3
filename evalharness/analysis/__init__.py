"""Scores to Analysis: the frozen aggregates that every report states."""
