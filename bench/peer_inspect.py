"""One measured run of inspect_ai's model-graded scorer: `peer_inspect.py URL DIALOGUES.jsonl IN_FLIGHT`.

Replies are given, a judge model grades each. Printed is a JSON object with seconds of wall time, the version, and the
items graded. The time is that of the whole `eval` call, imports left out.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path


def main(url: str, dialogues: str, in_flight: str) -> None:
    import inspect_ai
    from inspect_ai import Task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, get_model
    from inspect_ai.scorer import model_graded_qa
    from inspect_ai.solver import solver

    rows = [json.loads(line)["messages"] for line in Path(dialogues).read_text().splitlines()]

    @solver
    def given():  # type: ignore[no-untyped-def]
        async def solve(state, _generate):  # type: ignore[no-untyped-def]
            state.output = ModelOutput.from_content("given", state.metadata["reply"])
            return state

        return solve

    judge = get_model("openai/judge", base_url=url, api_key="none", responses_api=False)
    samples = [
        Sample(input=m[0]["content"], target="The reply helps.", metadata={"reply": m[1]["content"]})
        for m in rows
    ]
    task = Task(dataset=MemoryDataset(samples), solver=given(), scorer=model_graded_qa(model=judge))
    with tempfile.TemporaryDirectory() as logs:
        start = time.perf_counter()
        (log,) = inspect_ai.eval(
            task, model=judge, max_connections=int(in_flight), max_samples=int(in_flight),
            log_dir=logs, display="none",
        )  # fmt: skip
        wall = time.perf_counter() - start
        assert log.status == "success", log.error
        # They are read from the log's file when they are asked for.
        graded = [sample for sample in log.samples or [] if sample.scores]
    assert len(graded) == len(rows), f"{len(graded)} of {len(rows)} graded"
    version = inspect_ai.__version__
    print(json.dumps({"wall": wall, "items": len(graded), "version": version}))


if __name__ == "__main__":
    main(*sys.argv[1:])
