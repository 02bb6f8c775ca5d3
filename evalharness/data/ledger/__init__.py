"""The run ledger: one SQLite file that holds what was asked, every attempt and every outcome of a run."""
