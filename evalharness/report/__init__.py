"""An Analysis as text: JSON, HTML, CSV, console. Nothing here computes or writes files."""
