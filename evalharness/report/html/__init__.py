"""The parts of the offline HTML report: templates, styles and scripts as data files, and what fills them."""
