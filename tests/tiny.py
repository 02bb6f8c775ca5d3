"""Rubrics of one question, for tests in which the judge does not matter."""

HELPFULNESS = """\
rubric: tiny
version: 1
unit: turn
about: "A support agent answers."
criteria:
  helpfulness:
    question: "How helpful is the reply?"
    scale: ordinal
    levels: {1: "Not.", 2: "A bit.", 3: "Fairly.", 4: "Well.", 5: "Fully."}
    pass: ">=4"
"""

POLITE = """\
rubric: tiny
version: 1
unit: turn
about: "A support agent answers."
criteria:
  polite:
    question: "Is the reply polite?"
    scale: binary
    good: yes
"""
