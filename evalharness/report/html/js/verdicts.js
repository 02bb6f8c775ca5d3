// What was said about one item: each criterion with the values of all judges side by side, and why.

const OVERALL = "_overall";

class Verdicts {
  /** `goTo(message)` shows a message that is cited. */
  constructor(run, record, dialogue, filter, goTo) {
    Object.assign(this, { run, record, dialogue, filter, goTo });
  }

  /** The panel of an item. */
  panel(item, heading) {
    const { run } = this;
    const unit = run.itemTurn[item] === WHOLE ? "dialogue" : "turn";
    const own = run.columns.map((_, n) => n).filter((n) => run.columns[n].unit === unit);
    const judged = own.filter((n) => run.columns[n].judged);
    const metrics = own.filter((n) => !run.columns[n].judged && run.status[n][item] !== NONE);
    return el(
      "div",
      { class: "verdicts" },
      el("h5", { class: "hidden" }, heading),
      this.#rubrics(judged).map(([rubric, columns]) => this.#rubric(rubric, columns, item)),
      metrics.length > 0 && this.#metrics(metrics, item),
    );
  }

  #rubrics(columns) {
    const groups = new Map();
    for (const n of columns) {
      const { rubric } = this.run.columns[n];
      groups.set(rubric, [...(groups.get(rubric) ?? []), n]);
    }
    return [...groups];
  }

  #rubric(rubric, columns, item) {
    const { run } = this;
    const judges = [...new Set(columns.map((n) => run.columns[n].scorer))];
    const criteria = [...new Set(columns.map((n) => run.columns[n].criterion))];
    criteria.sort((a, b) => (b === OVERALL) - (a === OVERALL));
    this.told = new Set();
    const one = (criterion) =>
      judges.map((judge) =>
        columns.find((n) => run.columns[n].criterion === criterion && run.columns[n].scorer === judge),
      );
    return el(
      "section",
      { class: "rubric", "aria-label": visible(`${rubric}, ${judges.join(", ")}`) },
      el(
        "p",
        { class: "rubric-head" },
        bdi(rubric, { class: "rubric-name" }),
        judges.map((judge) => bdi(judge, { class: "judge", title: visible(judge) })),
      ),
      criteria.map((criterion) =>
        this.#criterion(
          one(criterion).filter((n) => n !== undefined),
          item,
          judges.length > 1,
        ),
      ),
    );
  }

  #criterion(columns, item, several) {
    const { run, filter } = this;
    const { label, must } = run.columns[columns[0]];
    const said = columns.map((n) => this.#said(n, item, several)).filter(Boolean);
    const head = [
      el("span", { class: "v-name" }, bdi(label), must && el("span", { class: "tag" }, "must")),
      columns.map((n) => el("span", { class: "v-value" }, valueChip(run, n, item, false))),
    ];
    const focus = columns.includes(filter.c) ? " focus" : "";
    if (!said.length) return el("div", { class: `verdict${focus}` }, el("div", { class: "v-head" }, head));
    const kinds = columns.map((n) => verdictOf(run, n, item).kind);
    const open = Boolean(focus) || kinds.includes("failed") || kinds.includes("bad");
    return el("details", { class: `verdict${focus}`, open }, el("summary", { class: "v-head" }, head), said);
  }

  /** Rationale, evidence, probabilities, samples, and what is known of a failure; null when nothing was said. */
  #said(n, item, several) {
    const { run, record } = this;
    const facts = record.facts.get(`${item}/${n}`) ?? {};
    const failed = run.status[n][item] === FAILED;
    if (failed && this.#known(n, item, facts)) return null;
    const parts = [
      failed &&
        el(
          "p",
          { class: "failure" },
          el("strong", {}, words(run.causes[run.why[n][item]])),
          facts.detail && ": ",
          shown(facts.detail ?? ""),
        ),
      !failed && facts.detail && el("p", { class: "detail", dir: "auto" }, shown(facts.detail)),
      facts.rationale && el("p", { class: "rationale", dir: "auto" }, this.#cited(facts.rationale)),
      facts.extra?.claims?.length > 0 && this.#claims(facts.extra.claims),
      this.#evidence(besides(facts.evidence ?? [], facts.extra?.claims ?? [])),
      facts.probabilities && probabilities(facts.probabilities),
      facts.samples?.length > 0 && samples(facts.samples),
      facts.raw &&
        el(
          "details",
          { class: "raw" },
          el("summary", {}, "start of the judge's answer"),
          el("pre", { dir: "auto", tabindex: "0" }, shown(facts.raw)),
        ),
      facts.extra &&
        el(
          "details",
          { class: "raw" },
          el("summary", {}, "more facts"),
          el("pre", { tabindex: "0" }, shown(JSON.stringify(facts.extra, null, 2))),
        ),
    ].filter(Boolean);
    if (!parts.length) return null;
    return el(
      "div",
      { class: "said" },
      several && el("p", { class: "said-by" }, bdi(run.columns[n].scorer)),
      parts,
    );
  }

  /** Whether the same failure of the same judge has been told already: one request often fails all criteria. */
  #known(n, item, facts) {
    const key = JSON.stringify([this.run.columns[n].scorer, this.run.why[n][item], facts]);
    const known = this.told.has(key);
    this.told.add(key);
    return known;
  }

  /** A rationale in which `[M3]` leads to message 3. */
  #cited(text) {
    const parts = document.createDocumentFragment();
    text
      .split(/\[M(\d{1,7})\]/u)
      .forEach((part, i) =>
        parts.append(i % 2 ? this.#messageLink(Number(part), `[M${part}]`) : shown(part)),
      );
    return parts;
  }

  #messageLink(message, text) {
    if (message >= this.dialogue.messages) return text;
    const open = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.goTo(message);
    };
    return link(placeAddress(this.dialogue.id, message), { class: "cite", onclick: open }, text);
  }

  /** The cited words, each with the message or the document it names; null where nothing is cited. */
  #evidence(evidence) {
    if (!evidence?.length) return null;
    return el(
      "ul",
      { class: "evidence" },
      evidence.map(({ message, document: cited, quote, found }) =>
        el(
          "li",
          { class: found ? null : "unfound" },
          quote && el("q", { dir: "auto" }, shown(quote)),
          quote && " ",
          message !== null && message !== undefined && this.#messageLink(message, `M${message}`),
          cited !== null && cited !== undefined && `document ${cited}`,
          !found && el("span", { class: "tag bad" }, "not found in the dialogue"),
        ),
      ),
    );
  }

  /** Every claim of a reply with its verdict and the words cited for it; what is not supported stands out. */
  #claims(list) {
    return el(
      "ol",
      { class: "claims" },
      list.map(({ claim, verdict, evidence }) =>
        el(
          "li",
          { class: verdict === "supported" ? null : "unfound", dir: "auto" },
          el("span", { class: "claim-verdict" }, words(verdict ?? "no verdict")),
          " ",
          shown(claim),
          this.#evidence(evidence),
        ),
      ),
    );
  }

  #metrics(columns, item) {
    const { run, filter } = this;
    return el(
      "details",
      { class: "metrics", open: columns.length <= 12 || columns.includes(filter.c) },
      el("summary", {}, count(columns.length, "metric")),
      el(
        "dl",
        {},
        columns.map((n) =>
          el(
            "div",
            { class: n === filter.c ? "focus" : null },
            el("dt", {}, bdi(run.columns[n].label)),
            el("dd", {}, valueChip(run, n, item, false)),
          ),
        ),
      ),
      this.#metricFacts(columns, item),
    );
  }

  /** What metrics said beside their values: open where one failed. */
  #metricFacts(columns, item) {
    const said = columns.flatMap((n) => {
      const text = this.record.facts.has(`${item}/${n}`) && this.#said(n, item, false);
      return text ? [el("p", { class: "said-by" }, bdi(this.run.columns[n].label)), text] : [];
    });
    const failed = columns.some((n) => this.run.status[n][item] === FAILED);
    return (
      said.length > 0 && el("details", { class: "raw", open: failed }, el("summary", {}, "details"), said)
    );
  }
}

const probabilities = (levels) =>
  el(
    "table",
    { class: "levels" },
    el("caption", { class: "hidden" }, "Probability of each level"),
    el(
      "tbody",
      {},
      Object.entries(levels).map(([level, p]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, bdi(level)),
          el(
            "td",
            { class: "bar-cell" },
            svg(
              "svg",
              {
                class: "bar-mark",
                viewBox: "0 0 200 12",
                preserveAspectRatio: "none",
                "aria-hidden": "true",
              },
              svg("rect", { width: Math.max(0, Math.min(200, p * 200)), height: 12 }),
            ),
          ),
          el("td", { class: "num" }, p.toFixed(2)),
        ),
      ),
    ),
  );

/** The evidence that does not stand under a claim already. */
const besides = (evidence, claims) => {
  const known = new Set(claims.flatMap((one) => one.evidence ?? []).map((piece) => JSON.stringify(piece)));
  return evidence.filter((piece) => !known.has(JSON.stringify(piece)));
};

const samples = (list) => {
  const usable = list.filter((sample) => typeof sample !== "object");
  const tally = new Map();
  for (const sample of list) {
    const name =
      typeof sample === "object"
        ? words(sample.failed)
        : typeof sample === "number"
          ? figure(sample)
          : sample;
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }
  const parts = [...tally]
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .map(([name, n]) => (n === 1 ? name : `${name} × ${n}`));
  return el("p", { class: "samples" }, `samples ${usable.length}/${list.length}: `, shown(parts.join(", ")));
};
