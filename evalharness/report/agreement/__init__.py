"""Agreement of judges and metrics with labels, as JSON, a console table, CSV and a page."""
