"""How fast dialogues are read and how much memory it takes: `python bench/reading.py [dialogues] [turns]`.

Prints one line for each container with dialogues per second of processor time and the growth of the peak resident
memory, which must not depend on the number of dialogues.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DEFAULT_DIALOGUES = 1_000_000
DEFAULT_TURNS = 2
WORDS = "the parcel was sent on monday and should be with you by wednesday at the latest"


def lines(dialogues: int, turns: int) -> Iterator[str]:
    """Native dialogues as JSON texts."""
    for number in range(dialogues):
        messages = [
            {"role": ("user", "assistant")[turn % 2], "content": f"{number} {WORDS}"} for turn in range(turns)
        ]
        yield json.dumps({"id": f"d{number}", "messages": messages})


def write_files(folder: Path, dialogues: int, turns: int) -> list[Path]:
    """The same dialogues in every container."""
    plain, packed, array, table = (folder / f"x{s}" for s in (".jsonl", ".jsonl.gz", ".json", ".csv"))
    with plain.open("w") as out, gzip.open(packed, "wt", compresslevel=1) as gz, array.open("w") as arr:
        arr.write("[")
        for number, line in enumerate(lines(dialogues, turns)):
            out.write(line + "\n")
            gz.write(line + "\n")
            arr.write(("," if number else "") + line)
        arr.write("]")
    with table.open("w") as out:
        out.write("dialogue_id,role,content\n")
        for number in range(dialogues):
            for turn in range(turns):
                out.write(f"d{number},{('user', 'assistant')[turn % 2]},{number} {WORDS}\n")
    return [plain, packed, array, table]


def measure(path: str) -> None:
    """Read one file and print its figures; run in a process of its own."""
    from evalharness.data.dialogues import Read, read_dialogues

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    count = sum(isinstance(outcome, Read) for outcome in read_dialogues([path]))
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    suffix = "".join(Path(path).suffixes)
    print(
        f"read {suffix:10} {count:>9,} dialogues {count / seconds:>9,.0f}/s  memory +{grown / 1024:.1f} MiB"
    )


def measure_survey(path: str) -> None:
    """Validate one file, duplicates included, and print its figures."""
    from evalharness.data.survey import survey

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = survey([path])
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    rate = found.dialogues / seconds
    print(f"validate .jsonl {found.dialogues:>8,} dialogues {rate:>9,.0f}/s  memory +{grown / 1024:.1f} MiB")


def main(arguments: list[str]) -> None:
    """Write the files, then measure each in a fresh process."""
    if arguments and arguments[0] in ("--one", "--survey"):
        (measure if arguments[0] == "--one" else measure_survey)(arguments[1])
        return
    dialogues = int(arguments[0]) if arguments else DEFAULT_DIALOGUES
    turns = int(arguments[1]) if len(arguments) > 1 else DEFAULT_TURNS
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), dialogues, turns)
        for path in paths:
            subprocess.run([sys.executable, __file__, "--one", str(path)], check=True)
        subprocess.run([sys.executable, __file__, "--survey", str(paths[0])], check=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main(sys.argv[1:])
