"""One measured run of deepeval's GEval: `peer_deepeval.py URL DIALOGUES.jsonl IN_FLIGHT`.

Replies are given; evaluation steps are given too, so that an item is one request. Printed is a JSON object with seconds
of wall time, the version, and the items scored. The time is that of the whole `evaluate` call, imports left out. Its
model makes a client for each request, which is left as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

STEPS = [
    "Read what the customer asks.",
    "Judge how far the actual output moves the customer's problem forward.",
]


def main(url: str, dialogues: str, in_flight: str) -> None:
    os.environ |= {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "DEEPEVAL_DISABLE_DOTENV": "1"}
    import deepeval
    from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import GEval
    from deepeval.models import LocalModel
    from deepeval.test_case import LLMTestCase, SingleTurnParams

    rows = [json.loads(line)["messages"] for line in Path(dialogues).read_text().splitlines()]
    judge = LocalModel(model="judge", base_url=url, api_key="none")
    metric = GEval(
        name="helpfulness",
        evaluation_steps=STEPS,
        evaluation_params=[SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT],
        model=judge,
    )
    cases = [LLMTestCase(input=m[0]["content"], actual_output=m[1]["content"]) for m in rows]
    # It writes folders where it runs, and speaks on stdout whatever it is asked.
    with (
        tempfile.TemporaryDirectory() as scratch,
        contextlib.chdir(scratch),
        contextlib.redirect_stdout(sys.stderr),
    ):
        start = time.perf_counter()
        found = deepeval.evaluate(
            cases, [metric],
            async_config=AsyncConfig(max_concurrent=int(in_flight)),
            cache_config=CacheConfig(write_cache=False, use_cache=False),
            display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
        )  # fmt: skip
        wall = time.perf_counter() - start
    scored = [
        test for test in found.test_results if all(m.score is not None for m in test.metrics_data or [])
    ]
    assert len(scored) == len(rows), f"{len(scored)} of {len(rows)} scored"
    print(json.dumps({"wall": wall, "items": len(scored), "version": deepeval.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
