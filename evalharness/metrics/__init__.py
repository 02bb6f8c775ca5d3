"""Deterministic scorers: reference metrics, surface measures and checks; pure, one file per family."""
