"""Files that `init --ci` writes: a GitHub workflow, a GitLab job, pre-commit hooks. Each works as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

System = Literal["github", "gitlab", "pre-commit"]

_GITHUB = """\
# Plays the scenarios against the bot, scores the dialogues, and compares them with the baseline.
# Set BOT to how your system is asked (a command, an address or module:function; see `evalharness run --help`).
name: dialogue quality
on:
  pull_request:
  workflow_dispatch:
permissions:
  contents: read
  pull-requests: write
concurrency:
  group: dialogue-quality-${{ github.ref }}
  cancel-in-progress: true
jobs:
  quality:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    env:
      BOT: python bot.py
      OPENAI_API_KEY: ${{ secrets.OPENAI_API_KEY }}
      ANTHROPIC_API_KEY: ${{ secrets.ANTHROPIC_API_KEY }}
      XDG_CACHE_HOME: ${{ github.workspace }}/.cache
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: "3.12"
      - uses: actions/cache@v5
        with:
          path: .cache/evalharness
          key: evalharness-${{ github.run_id }}
          restore-keys: evalharness-
      - run: pip install evalharness
      - name: Can this run judge?
        id: keys
        run: |
          if [ -n "$OPENAI_API_KEY$ANTHROPIC_API_KEY" ]; then
            echo "judge=yes" >> "$GITHUB_OUTPUT"
          else
            echo "judge=no" >> "$GITHUB_OUTPUT"
            echo "Not judged: pull requests from forks have no keys." >> "$GITHUB_STEP_SUMMARY"
          fi
      - name: Play, score, gate
        if: steps.keys.outputs.judge == 'yes'
        run: |
          evalharness run scenarios.yaml --target "$BOT" --set system=candidate --out candidate.jsonl
          evalharness score candidate.jsonl --out reports/candidate
          evalharness gate reports/candidate --baseline baseline.json.gz --policy gate.yaml
      - name: One comment, kept up to date
        if: always() && steps.keys.outputs.judge == 'yes' && github.event_name == 'pull_request'
        uses: actions/github-script@v8
        with:
          script: |
            const fs = require("fs");
            const mark = "<!-- evalharness -->";
            const path = "reports/candidate/gate.md";
            const text = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "No verdict: see the log.";
            const body = (mark + "\\n" + text).slice(0, 60000);
            const where = { ...context.repo, issue_number: context.issue.number };
            const comments = await github.paginate(github.rest.issues.listComments, where);
            const old = comments.find((comment) => comment.body.startsWith(mark));
            if (old) await github.rest.issues.updateComment({ ...context.repo, comment_id: old.id, body });
            else await github.rest.issues.createComment({ ...where, body });
      - uses: actions/upload-artifact@v6
        if: always() && steps.keys.outputs.judge == 'yes'
        with:
          name: dialogue-quality
          path: |
            reports/candidate/report.html
            reports/candidate/gate.*
"""

_GITLAB = """\
# Include from .gitlab-ci.yml: include: .gitlab/dialogue-quality.yml
# Keys are masked CI/CD variables; pipelines without them end as "not judged".
dialogue-quality:
  image: python:3.12
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  variables:
    BOT: python bot.py
    XDG_CACHE_HOME: $CI_PROJECT_DIR/.cache
  cache:
    key: evalharness
    paths: [.cache/evalharness]
  script:
    - if [ -z "$OPENAI_API_KEY$ANTHROPIC_API_KEY" ]; then echo "Not judged, no keys here"; exit 0; fi
    - pip install evalharness
    - evalharness run scenarios.yaml --target "$BOT" --set system=candidate --out candidate.jsonl
    - evalharness score candidate.jsonl --out reports/candidate
    - evalharness gate reports/candidate --baseline baseline.json.gz --policy gate.yaml
  artifacts:
    when: always
    paths: [reports/candidate/report.html, reports/candidate/gate.md]
    reports:
      junit: reports/candidate/gate.xml
"""

_PRE_COMMIT = """\
# Checks rubrics and dialogue files before each commit.
repos:
  - repo: local
    hooks:
      - id: evalharness-rubric-lint
        name: rubrics
        entry: evalharness rubric lint
        language: system
        files: ^rubrics/.*\\.(yaml|yml|json)$
      - id: evalharness-data-validate
        name: dialogues
        entry: evalharness data validate
        language: system
        files: ^datasets/.*\\.jsonl$
"""

_POLICY = """\
# What `evalharness gate` tolerates; every key is optional (see docs/gate.md).
max_drop: 5%              # of a scale's range, for criteria that say nothing else
max_failed: 2%            # share of items without a verdict
on_inconclusive: exit     # exit (4) | warn (0, loudly) | fail (1)
# criteria:
#   helpfulness: {max_drop: 3%, min_pass_rate: 80%}
#   bleu: {gate: false}
# must_pass: [refund-17]
# confirm: 3              # fresh verdicts on a failure before it counts
# anchors: anchors.jsonl  # `evalharness baseline anchors`: is it still the same judge?
# slices: [system, lang]
"""

_FILES: Mapping[System, tuple[tuple[str, str], ...]] = {
    "github": ((".github/workflows/dialogue-quality.yml", _GITHUB), ("gate.yaml", _POLICY)),
    "gitlab": ((".gitlab/dialogue-quality.yml", _GITLAB), ("gate.yaml", _POLICY)),
    "pre-commit": ((".pre-commit-config.yaml", _PRE_COMMIT),),
}


def ci_files(systems: tuple[System, ...]) -> dict[Path, str]:
    """The files for these systems, by their place in the project."""
    return {Path(name): text for system in systems for name, text in _FILES[system]}
