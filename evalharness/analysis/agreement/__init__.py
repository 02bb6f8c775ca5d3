"""Scores against labels: the joined data, and everything that an agreement report states about them."""
