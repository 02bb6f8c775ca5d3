"""Audits the local judge and a fitted one on the sample data; writes docs/judge-cards/ and the outputs in audit.md.

python docs/make_audit.py [WORK_FOLDER [local|fitted]]

The local judge has to be installed (`evalharness judges install smollm2`) and takes some minutes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
DATASETS = DOCS.parent / "datasets"
CARDS = DOCS / "judge-cards"
DATA = [str(DATASETS / name) for name in ("sample.jsonl", "degraded.jsonl")]
LABELS = ("--labels", str(DATASETS / "labels-by-construction.csv"))
RUBRIC = """\
rubric: built-in-faults
version: 1
unit: turn
about: "Assistants answer users; some replies were made worse on purpose, by a known amount."
criteria:
  severity:
    question: "How badly was this reply spoilt?"
    scale: ordinal
    levels: {0: "Not at all.", 1: "A little.", 2: "Plainly.", 3: "Badly."}
    pass: "<=1"
"""


def evalharness(*arguments: str) -> str:
    """What a command prints; its failure is an error."""
    done = subprocess.run(
        [sys.executable, "-m", "evalharness", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"evalharness {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def local(work: Path) -> str:
    """The toy judge on ten dialogues, beside the labels by construction."""
    rubric = work / "built-in-faults.yaml"
    rubric.write_text(RUBRIC, encoding="utf-8")
    asked = ("--judge", "local:smollm2", "--rubric", str(rubric), *LABELS, "--size", "10")
    return evalharness("audit", *DATA, *asked, "--out", str(work / "local"))


def fitted(work: Path) -> str:
    """A judge that learned from the labels by construction, held against them."""
    (work / "built-in-faults.yaml").write_text(RUBRIC, encoding="utf-8")
    run, judge = str(work / "run"), str(work / "fitted.json")
    evalharness("score", *DATA, "--out", run, "--quiet")
    evalharness("fit", run, *LABELS, "--out", judge, "--quiet")
    rubric = str(work / "built-in-faults.yaml")
    asked = ("--judge", f"fitted=fitted:{judge}", "--rubric", rubric, *LABELS)
    return evalharness("audit", *DATA, *asked, "--out", str(work / "fitted"))


def main() -> None:
    """Run both, keep their cards, and put their outputs into the page."""
    work = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="evalharness-"))
    work.mkdir(parents=True, exist_ok=True)
    CARDS.mkdir(exist_ok=True)
    page = DOCS / "audit.md"
    text = page.read_text(encoding="utf-8")
    for name, audit in (("local", local), ("fitted", fitted)):
        if name not in (sys.argv[2:] or ("local", "fitted")):
            continue
        printed = audit(work).rsplit("\n\njudge card:", 1)[0].strip()
        pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(\n<!-- {name}:end -->)", re.DOTALL)
        text = pattern.sub(lambda found, shown=printed: f"{found[1]}```text\n{shown}\n```{found[2]}", text)
        for source, target in (("judge-card.md", "md"), ("judge-card.html", "html"), ("audit.json", "json")):
            shutil.copy(work / name / source, CARDS / f"{name}.{target}")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
