"""Probes of a judge: what moves its scores that should not, and what should move them and does not."""
