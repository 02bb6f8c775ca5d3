// The controls above the list. They show a filter and report changes to it; they don't apply it.

const SORTS = [
  ["", "in order"],
  ["worst", "worst first"],
  ["best", "best first"],
  ["disagreement", "judges disagree"],
  ["failures", "most failures"],
  ["longest", "longest dialogue"],
];
const FLAGS = [
  ["", "any"],
  ["new", "newly failing"],
  ["human", "judge ≠ human"],
  ["uncertain", "uncertain verdict"],
  ["unfound", "evidence not found"],
  ["split", "panel disagrees"],
  ["invisible", "invisible characters"],
];

class Panel {
  constructor(run, onChange) {
    this.run = run;
    this.onChange = onChange;
    this.query = el("input", {
      type: "search",
      id: "search",
      placeholder: "Search texts, ids, rationales",
      autocomplete: "off",
      spellcheck: "false",
      "aria-keyshortcuts": "/",
      oninput: () => this.#typed(),
    });
    this.status = el("p", { id: "list-status", role: "status" });
    this.chips = el("ul", { class: "chips active", "aria-label": "Filters in use" });
    this.fields = this.#fields();
    this.element = el(
      "form",
      {
        class: "panel",
        role: "search",
        "aria-label": "Dialogues",
        onsubmit: (event) => event.preventDefault(),
      },
      el("label", { class: "search" }, hidden("Search texts, ids and rationales"), this.query),
      el("div", { class: "pair" }, field("show", this.fields.rows), field("sort", this.fields.sort)),
      field("criterion", this.fields.c),
      this.#more(),
      this.chips,
      this.status,
    );
  }

  #typed() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.onChange({ q: this.query.value.trim() }), 80);
  }

  #fields() {
    const { run } = this;
    const change =
      (name, read = (text) => text) =>
      (event) =>
        this.onChange({ [name]: read(event.target.value) });
    const fields = {
      rows: choice(
        [
          ["dialogues", "dialogues"],
          ["items", "scored items"],
        ],
        change("rows"),
      ),
      sort: choice(SORTS, change("sort")),
      c: choice(
        [["-1", "any"], ...run.columns.map((column, n) => [String(n), columnName(run, n)])],
        (event) => this.onChange({ c: Number(event.target.value), ...OUTCOME_OFF }),
      ),
      outcome: choice(this.#outcomes(), (event) => this.onChange(readOutcome(event.target.value))),
      ge: bound("at least", (value) => this.onChange({ ge: value, level: -1 })),
      le: bound("at most", (value) => this.onChange({ le: value, lt: null, level: -1 })),
      system: choice([["", "any"], ...this.#systems().map((name) => [name, name])], change("system")),
      flag: choice(FLAGS, change("flag")),
    };
    fields.slices = run.facets.map((facet) =>
      choice([["", "any"], ...facet.values.map((value) => [`=${value}`, value || "(empty)"])], () =>
        this.#sliced(),
      ),
    );
    return fields;
  }

  #more() {
    const { outcome, ge, le, system, flag, slices } = this.fields;
    this.details = el(
      "details",
      { class: "more" },
      el("summary", {}, "More filters"),
      el(
        "div",
        { class: "fields" },
        field("outcome", outcome),
        el("div", { class: "pair" }, field("value from", ge), field("to", le)),
        this.#systems().length > 1 && field("system", system),
        field("noteworthy", flag),
        this.run.facets.map((facet, n) => field(facet.key, slices[n])),
        el(
          "button",
          { type: "button", class: "quiet", onclick: () => this.onChange({ ...EMPTY_FILTER, slices: [] }) },
          "Clear all filters",
        ),
      ),
    );
    return this.details;
  }

  #sliced() {
    const slices = this.run.facets.flatMap((facet, n) => {
      const { value } = this.fields.slices[n];
      return value ? [[facet.key, value.slice(1)]] : [];
    });
    this.onChange({ slices });
  }

  #systems() {
    return [...new Set(this.run.dialogues.map((dialogue) => dialogue.system))].filter(Boolean).sort();
  }

  #outcomes() {
    const { run } = this;
    const used = (wanted, names) => {
      const seen = new Set();
      run.status.forEach((status, column) =>
        status.forEach((s, item) => s === wanted && seen.add(run.why[column][item])),
      );
      return [...seen].sort((a, b) => a - b).map((n) => names[n]);
    };
    return [
      ["", "any"],
      ["scored", "scored"],
      ["pass:yes", "passed"],
      ["pass:no", "did not pass"],
      ["failed", "failed"],
      ...used(FAILED, run.causes).map((cause) => [`failed:${cause}`, `failed: ${words(cause)}`]),
      ["skipped", "skipped"],
      ...used(SKIPPED, run.reasons).map((reason) => [`skipped:${reason}`, `skipped: ${words(reason)}`]),
    ];
  }

  /** Makes the controls say what the filter is. */
  show(filter) {
    const { fields, run } = this;
    if (document.activeElement !== this.query) this.query.value = filter.q;
    fields.rows.value = shownUnit(filter);
    fields.sort.value = filter.sort;
    fields.c.value = String(filter.c);
    fields.outcome.value = filter.pass
      ? `pass:${filter.pass}`
      : filter.why
        ? `${filter.s}:${filter.why}`
        : filter.s;
    fields.ge.value = filter.ge ?? "";
    fields.le.value = filter.le ?? "";
    fields.system.value = filter.system;
    fields.flag.value = filter.flag;
    run.facets.forEach((facet, n) => {
      const wanted = filter.slices.find(([key]) => key === facet.key);
      fields.slices[n].value = wanted ? `=${wanted[1]}` : "";
    });
    this.#chips(filter);
  }

  #chips(filter) {
    const chip = (text, off) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "chip", onclick: () => this.onChange(off) },
          bdi(text),
          el("span", { "aria-hidden": "true" }, " ×"),
          hidden(" (remove this filter)"),
        ),
      );
    this.chips.replaceChildren(...filterWords(this.run, filter).map(([text, off]) => chip(text, off)));
    this.chips.hidden = !this.chips.childElementCount;
  }

  say(text) {
    this.status.textContent = text;
  }
}

const OUTCOME_OFF = { s: "", why: "", pass: "", ge: null, le: null, lt: null, level: -1 };

/** The filter in words, each with the change that takes it off. */
const filterWords = (run, filter) => {
  const found = [];
  if (filter.q) found.push([`“${filter.q}”`, { q: "" }]);
  if (filter.c >= 0 && filter.c < run.columns.length)
    found.push([columnName(run, filter.c), { c: -1, ...OUTCOME_OFF }]);
  const state = filter.why ? `${filter.s}: ${words(filter.why)}` : filter.s;
  if (state) found.push([state, { s: "", why: "" }]);
  if (filter.pass) found.push([filter.pass === "yes" ? "passed" : "did not pass", { pass: "" }]);
  const range = rangeWords(filter);
  if (range) found.push([range, { ge: null, le: null, lt: null }]);
  if (filter.level >= 0 && filter.c >= 0)
    found.push([run.columns[filter.c]?.levels[filter.level] ?? "?", { level: -1 }]);
  if (filter.system) found.push([`system ${filter.system}`, { system: "" }]);
  if (filter.flag)
    found.push([FLAGS.find(([name]) => name === filter.flag)?.[1] ?? filter.flag, { flag: "" }]);
  for (const slice of filter.slices)
    found.push([`${slice[0]}: ${slice[1]}`, { slices: filter.slices.filter((other) => other !== slice) }]);
  return found;
};

const rangeWords = ({ ge, le, lt }) => {
  const low = ge === null ? "" : `${figure(ge)} ≤ `;
  const high = le !== null ? ` ≤ ${figure(le)}` : lt !== null ? ` < ${figure(lt)}` : "";
  return low || high ? `${low}value${high}` : "";
};

const readOutcome = (text) => {
  const [state, detail = ""] = text.split(":");
  return state === "pass" ? { s: "", why: "", pass: detail } : { s: state, why: detail, pass: "" };
};

/** A criterion's name, with its judge where several answer the same question. */
const columnName = (run, n) => {
  const { label, scorer, judged, rubric } = run.columns[n];
  const several = run.columns.some(
    (other) => other.judged && (other.scorer !== scorer || other.rubric !== rubric),
  );
  return judged && several ? `${label} · ${scorer}` : label;
};

const field = (name, control) => el("label", { class: "field" }, el("span", {}, shown(name)), control);

const choice = (options, onchange) =>
  el(
    "select",
    { onchange },
    options.map(([value, text]) => el("option", { value }, visible(text))),
  );

const bound = (label, onChange) =>
  el("input", {
    type: "number",
    step: "any",
    "aria-label": `value ${label}`,
    onchange: (event) => onChange(event.target.value === "" ? null : Number(event.target.value)),
  });
