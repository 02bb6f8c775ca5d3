"""Masking personal data and secrets in dialogues: finding them, and putting placeholders in their place."""
