"""An audit as audit.json, as a judge card in HTML and Markdown, in a terminal, and in a run's report."""
