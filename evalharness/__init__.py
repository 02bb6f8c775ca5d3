"""Score dialogues with metrics and rubric judges, measure judges against humans, gate CI on quality."""

__version__ = "0.1.0"
