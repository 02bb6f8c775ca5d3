"""A gate's result as JSON, Markdown, JUnit XML, annotations and a terminal table."""
