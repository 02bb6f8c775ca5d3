"""Reading labels: long and wide files, exports of labelling tools, and ratings inside research data sets."""
