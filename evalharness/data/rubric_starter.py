"""A commented rubric to start from."""

from __future__ import annotations

from evalharness.core.dialogue import Unit

_WHAT = {Unit.TURN: "the reply", Unit.DIALOGUE: "the whole dialogue", Unit.PAIR: "the two replies"}

_POINTWISE = """\
# A rubric: what a judge is asked about {what}. Check it with `evalharness rubric lint FILE`,
# see the exact prompt with `evalharness rubric show FILE`. Every field is described in docs/rubrics.md.
rubric: {name}
version: 1                      # raise it with every change: verdicts of versions are never mixed
unit: {unit}                      # turn (each reply) | dialogue (the whole) | pair (two systems)
about: "Say in a sentence who talks to whom about what."

criteria:
  helpfulness:
    question: "How far does {what} move the user's problem forward?"     # one idea per criterion
    scale: ordinal              # binary | ordinal | nominal | numeric
    levels:                     # a text for every level: judges and humans then mean the same
      1: "Ignores the problem or makes it worse."
      2: "Sees the problem but does nothing useful about it."
      3: "Moves it partly forward."
      4: "Moves it well forward, with a gap."
      5: "Solves it, or takes the right next step."
    pass: ">=4"                 # what counts as good: gives pass rates
    weight: 2

  invented:
    question: "Does {what} state facts that the given context does not support?"
    scale: binary
    good: no                    # say which answer is the good one
    needs: [context]            # without context the criterion is skipped, with that reason
    must: true                  # a bad answer fails the item whatever the other criteria say
    cannot_assess: true         # the judge may say so: a skip, not a score

overall: weighted_mean          # or: min | all_pass
"""

_PAIR = """\
# A rubric for comparing two systems. Check it with `evalharness rubric lint FILE`.
rubric: {name}
version: 1
unit: pair
about: "Say in a sentence who talks to whom about what."

criteria:
  preference:
    question: "Which reply serves the user better?"
    scale: nominal
    levels:
      a: "The first reply serves the user better."
      b: "The second reply serves the user better."
      tie: "Both serve the user equally well."
"""


def starter(name: str, unit: Unit) -> str:
    """The text of a new rubric file."""
    template = _PAIR if unit is Unit.PAIR else _POINTWISE
    return template.replace("{name}", name).replace("{unit}", unit.value).replace("{what}", _WHAT[unit])
