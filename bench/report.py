"""The HTML report of a large run: `python bench/report.py [scored turns]`.

Writes a page of so many scored turns (20,000 unless told) with one judge's rationales and evidence and eight metrics,
a gate and labels.
It prints the seconds to write it, the growth of the peak resident memory, the file's size, and from Chromium the first
paint, the time until the dialogues can be used, and the times of filters, sorts and text searches, each until the next
frame is painted, with the processor time that the page took for it: on a busy machine that is the figure to go by.
Words are drawn with the frequencies of natural text, so packing gains what it gains on real dialogues.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

from evalharness.analysis.build import analyse
from evalharness.analysis.slices import facets_of
from evalharness.analysis.types import RunFacts
from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, Document, Message, Unit
from evalharness.core.scores import OVERALL, Cause, Column, Evidence, Failure, Result, Score
from evalharness.data.ledger.store import OutcomeRow, StoredDialogue
from evalharness.report.page import PageOptions, report_page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
TURNS_EACH = 4
CRITERIA = ("helpfulness", "relevance", "clarity", "courtesy")
METRICS = ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "words", "distinct-1", "repetition")
REPEATS = 5


class Words:
    """A vocabulary with Zipf's frequencies."""

    def __init__(self, rng: random.Random, size: int = 8000) -> None:
        self.rng = rng
        letters = "etaoinshrdlucmfwypvbgk"
        self.words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(size)]
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(size)))

    def text(self, low: int, high: int) -> str:
        """So many words as a sentence."""
        chosen = self.rng.choices(self.words, cum_weights=self.weights, k=self.rng.randint(low, high))
        return " ".join(chosen).capitalize() + "."


def columns() -> dict[int, tuple[Column, ...]]:
    """One judge with four criteria and an overall, and eight metrics."""
    judge = {
        "scorer": "gpt-5-mini",
        "unit": Unit.TURN,
        "signature": "judge",
        "rubric": "support-reply",
        "judged": True,
    }
    criteria = [
        Column(
            criterion=name,
            low=1.0,
            high=5.0,
            passes=">=4",
            higher_is_better=True,
            levels=tuple("12345"),
            **judge,
        )  # type: ignore[arg-type]
        for name in CRITERIA
    ]
    overall = Column(criterion=OVERALL, low=0.0, high=1.0, higher_is_better=True, **judge)  # type: ignore[arg-type]
    found: dict[int, tuple[Column, ...]] = {1: (*criteria, overall)}
    for number, name in enumerate(METRICS, 2):
        found[number] = (Column(name, name, Unit.TURN, name, low=0.0, high=1.0, higher_is_better=True),)
    return found


def dialogue(number: int, words: Words) -> Dialogue:
    """A dialogue of so many exchanges, with a document and some references."""
    messages: list[Message] = [
        Message("system", "You are the support assistant of a carrier. Be brief and friendly.")
    ]
    for _ in range(TURNS_EACH):
        messages.append(Message("user", words.text(8, 30)))
        messages.append(Message("assistant", words.text(25, 70), references=(words.text(20, 40),)))
    metadata = {
        "system": f"v{number % 3}",
        "lang": ("en", "de", "es", "fr")[number % 4],
        "topic": f"t{number % 12}",
    }
    context = (Document(words.text(60, 120), "doc"),)
    return Dialogue(
        f"d{number:06d}", tuple(messages), f"g{number // 2:06d}", context=context, metadata=metadata
    )


def verdicts(talk: Dialogue, turn: int, words: Words) -> tuple[Result, ...]:
    """A judge's results on a turn: mostly scores with rationale and evidence."""
    rng = words.rng
    if rng.random() < 0.02:
        timeout = Failure(Cause.TIMEOUT, "no answer within 60 s")
        return (*(timeout for _ in CRITERIA), Failure(Cause.INCOMPLETE, "no value"))
    cited = talk.messages[turn].content.split()
    scores = []
    for _ in CRITERIA:
        start = rng.randint(0, max(0, len(cited) - 8))
        quote = Evidence(turn, " ".join(cited[start : start + 7]), True)
        value = float(rng.choices((1, 2, 3, 4, 5), (1, 2, 4, 8, 8))[0])
        scores.append(Score(value, rationale=words.text(18, 40), evidence=(quote,)))
    return (*scores, Score(rng.random()))


def run(turns: int) -> tuple[list[StoredDialogue], list[OutcomeRow]]:
    """Dialogues and outcomes, sorted as a ledger hands them out."""
    words = Words(random.Random(1))
    stored: list[StoredDialogue] = []
    rows: list[OutcomeRow] = []
    for seq in range(1, turns // TURNS_EACH + 1):
        talk = dialogue(seq, words)
        stored.append(StoredDialogue(seq, "talks.jsonl", seq, canonical_json(native.to_json(talk))))
        for turn in talk.assistant_turns():
            rows.append(
                OutcomeRow(talk.id, talk.cluster, talk.system, turn, 1, verdicts(talk, turn, words), seq)
            )
            rows += [
                OutcomeRow(talk.id, talk.cluster, talk.system, turn, 2 + n, (Score(words.rng.random()),), seq)
                for n in range(len(METRICS))
            ]
    return stored, rows


def beside() -> PageOptions:
    """A gate that found a drop, and labels: what the first screen shows beside the scores."""
    from tests.report.page_beside import standing

    return PageOptions("Bench", standing=standing(item=("d000001", 2)))


def write(path: Path, turns: int) -> None:
    """Write the page and print what it took."""
    stored, rows = run(turns)
    facts = RunFacts(len(stored), turns, len(stored) // 2, ("v0", "v1", "v2"), ("talks.jsonl",), 0, ())
    facets = {one.seq: tuple(facets_of(json.loads(one.body)["metadata"])) for one in stored}
    analysis = analyse(
        facts, columns(), rows, dict.fromkeys(columns(), turns), facets=lambda row: facets[row.seq]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, worked = time.perf_counter(), time.process_time()
    with path.open("w", encoding="utf-8") as out:
        out.writelines(report_page(analysis, columns(), iter(stored), iter(rows), beside()))
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    raw = sum(len(one.body) for one in stored) / 1e6
    print(f"{turns:,} scored turns in {len(stored):,} dialogues ({raw:.1f} MB of dialogues)")
    size = path.stat().st_size / 1e6
    print(
        f"written in {seconds:.1f} s (processor {worked:.1f} s), peak memory +{grown:.0f} MB, file {size:.1f} MB"
    )


READY = "#explorer:not([hidden]) #list-status:not(:empty)"

ACTION = """async ([hash]) => {
    const start = performance.now();
    const status = document.querySelector('#list-status');
    status.textContent = '';
    location.hash = hash;
    const turn = (done) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = done;
        channel.port2.postMessage(0);
    };
    while (!status.textContent || status.textContent.startsWith('Reading')) await new Promise(turn);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return [performance.now() - start, status.textContent];
}"""

ACTIONS = (
    ("filter by value", "#?c=0&s=scored&ge={n}"),
    ("filter by cause", "#?rows=items&s=failed&why=timeout&q=&system=v{n}"),
    ("filter and sort", "#?c={n}&sort=worst&x=lang:de"),
    ("disagreement sort", "#?rows=items&sort=disagreement&ge=&le={n}"),
    ("text search", "#?q=e{n}"),
    ("text search, items", "#?rows=items&q=a{n} e"),
)


def browse(path: Path) -> None:
    """Open the page in Chromium and print how long things take there."""
    from tests.browser import open_browser

    with open_browser() as browser:
        looks = [first_look(browser, path) for _ in range(3)]
        paint, ready, processor = (statistics.median(values) for values in zip(*looks, strict=True))
        print(f"first paint {paint:.0f} ms, dialogues ready {ready:.0f} ms (processor {processor:.0f} ms)")
        page = opened(browser, path)
        clock = Processor(page)
        spent, _ = page.evaluate(ACTION, ["#?q=refund"])
        print(f"text search at once after opening: {spent:.0f} ms (processor {clock.lap():.0f} ms)")
        for name, pattern in ACTIONS:
            print(f"{name}: {action(page, clock, pattern)}")


def action(page: Any, clock: Processor, pattern: str) -> str:
    """Do a thing several times, each time a little differently."""
    times, laps, said = [], [], ""
    for n in range(REPEATS):
        clock.lap()
        spent, said = page.evaluate(ACTION, [pattern.format(n=n)])
        times.append(spent)
        laps.append(clock.lap())
    middle, busy = statistics.median(times), statistics.median(laps)
    return f"median {middle:.0f} ms, worst {max(times):.0f} ms (processor {busy:.0f} ms): {said}"


class Processor:
    """Processor time of the page's main thread."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._last = 0.0

    def lap(self) -> float:
        """Milliseconds since the last call (or since the page began)."""
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        now = next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")
        spent, self._last = now - self._last, now
        return float(spent * 1000)


def opened(browser: Any, path: Path) -> Any:
    """A fresh page with its list."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(READY, state="attached")
    return page


def first_look(browser: Any, path: Path) -> tuple[float, float, float]:
    """Milliseconds to the first contentful paint and until the list stands, and the processor time until then."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    clock = Processor(page)
    page.goto(path.as_uri())
    page.wait_for_selector(READY, state="attached")
    ready, processor = page.evaluate("performance.now()"), clock.lap()
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    return paint, ready, processor


def main() -> None:
    """Write and browse."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write(path, turns)
        browse(path)


if __name__ == "__main__":
    main()
