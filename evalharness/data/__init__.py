"""The only place that reads or writes files: dialogues, rubrics, labels, recordings, the ledger and the cache."""
