// The list of dialogues or items. Only the rows in sight exist, so a list of any length scrolls smoothly.

const ROW = 58;
const SPARE = 6;
const LEAST = 12;

class List {
  constructor(run) {
    this.run = run;
    this.rows = [];
    this.current = -1;
    this.drawn = new Map();
    this.items = el("ol", { class: "rows" });
    this.empty = el("p", { class: "nothing", hidden: true }, "Nothing matches. Take off a filter.");
    this.element = el("div", { class: "list" }, this.items, this.empty);
    const redraw = () => this.#soon();
    this.element.addEventListener("scroll", redraw, { passive: true });
    window.addEventListener("scroll", redraw, { passive: true });
    window.addEventListener("resize", redraw, { passive: true });
  }

  /** Shows these dialogues or items (`unit`) under this filter; the current place stays where it is among them. */
  show(rows, unit, filter, place) {
    Object.assign(this, { rows, unit, filter });
    this.items.replaceChildren();
    this.drawn.clear();
    this.items.style.height = `${rows.length * ROW}px`;
    this.empty.hidden = rows.length > 0;
    this.current = place ? this.find(place) : -1;
    this.element.scrollTop = 0;
    if (this.current >= 0) this.reveal();
    this.#draw();
  }

  /** The row of a dialogue and turn; -1 when the list does not have it. */
  find({ n, turn }) {
    if (this.unit === "dialogues") return this.rows.indexOf(n);
    const at = this.rows.findIndex(
      (item) => this.run.itemDialogue[item] === n && this.run.itemTurn[item] === (turn ?? WHOLE),
    );
    return at >= 0 ? at : this.rows.findIndex((item) => this.run.itemDialogue[item] === n);
  }

  /** Dialogue number and turn of a row. */
  place(row) {
    if (this.unit === "dialogues") return { n: this.rows[row], turn: null };
    const item = this.rows[row];
    const turn = this.run.itemTurn[item];
    return { n: this.run.itemDialogue[item], turn: turn === WHOLE ? null : turn };
  }

  choose(row) {
    this.current = row;
    this.reveal();
    this.#draw(true);
  }

  /** Scrolls the list, never the page, so that the current row can be seen. */
  reveal() {
    const top = this.current * ROW;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop + ROW) this.element.scrollTop = Math.max(0, top - ROW);
    else if (top + 2 * ROW > scrollTop + clientHeight) this.element.scrollTop = top + 2 * ROW - clientHeight;
  }

  focus() {
    this.#draw();
    const row = this.drawn.get(Math.max(0, this.current));
    row?.querySelector("a").focus({ preventScroll: true });
    return Boolean(row);
  }

  #soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.#draw();
    });
  }

  #draw(anew = false) {
    const [from, to] = this.#inSight();
    const focused = this.element.contains(document.activeElement) ? this.#focusedRow() : -1;
    for (const [row, element] of this.drawn) {
      if (!anew && row >= from && row < to) continue;
      element.remove();
      this.drawn.delete(row);
    }
    for (let row = from; row < to; row += 1) if (!this.drawn.has(row)) this.#add(row);
    if (anew && focused >= 0) this.focus();
  }

  #focusedRow() {
    for (const [row, element] of this.drawn) if (element.contains(document.activeElement)) return row;
    return -1;
  }

  /** Rows that can be seen, in a list that scrolls by itself or with the page; never none, for those who can't scroll. */
  #inSight() {
    const rows = this.items.getBoundingClientRect();
    const frame = this.element.getBoundingClientRect();
    const top = Math.max(0, frame.top) - rows.top;
    const bottom = Math.max(Math.min(window.innerHeight, frame.bottom) - rows.top, top + LEAST * ROW);
    const from = Math.max(0, Math.floor(top / ROW) - SPARE);
    return [from, Math.min(this.rows.length, Math.ceil(bottom / ROW) + SPARE)];
  }

  #add(row) {
    const element = this.unit === "dialogues" ? this.#dialogueRow(row) : this.#itemRow(row);
    element.style.top = `${row * ROW}px`;
    this.drawn.set(row, element);
    const next = [...this.drawn.keys()].filter((other) => other > row).sort((a, b) => a - b)[0];
    this.items.insertBefore(element, next === undefined ? null : this.drawn.get(next));
  }

  #row(row, title, note, chips, text) {
    const place = this.place(row);
    const dialogue = this.run.dialogues[place.n];
    return el(
      "li",
      { "aria-setsize": this.rows.length, "aria-posinset": row + 1 },
      link(
        address(placeAddress(dialogue.id, place.turn), this.filter),
        { class: "row", "aria-current": row === this.current ? "true" : null, "data-row": row },
        el(
          "span",
          { class: "row-head" },
          el("bdi", { class: "row-id" }, shown(title)),
          el("span", { class: "row-note" }, note),
          chips,
        ),
        el("span", { class: "row-text", dir: "auto" }, shown(text)),
      ),
    );
  }

  #itemRow(row) {
    const { run, filter } = this;
    const item = this.rows[row];
    const dialogue = run.dialogues[run.itemDialogue[item]];
    const turn = run.itemTurn[item];
    const columns = filter.c >= 0 ? [filter.c] : this.#telling(item);
    return this.#row(
      row,
      dialogue.id,
      turn === WHOLE ? "dialogue" : `M${turn}`,
      columns.map((c) => valueChip(run, c, item, filter.c < 0)),
      run.snippets[item],
    );
  }

  #dialogueRow(row) {
    const { run } = this;
    const dialogue = run.dialogues[this.rows[row]];
    let [failed, bad] = [0, 0];
    for (let item = dialogue.first; item < dialogue.end; item += 1) {
      run.status.forEach((status, column) => {
        failed += status[item] === FAILED;
        bad += passes(run.columns[column], run.values[column][item]) === false;
      });
    }
    const chips = [
      failed > 0 && el("span", { class: "chip failed" }, `${failed} failed`),
      bad > 0 && el("span", { class: "chip bad" }, `${bad} below pass`),
    ];
    return this.#row(row, dialogue.id, dialogue.system ? bdi(dialogue.system) : "", chips, dialogue.title);
  }

  /** The one outcome that says most about an item when no criterion is chosen: a failure, else the lowest value. */
  #telling(item) {
    const { run, filter } = this;
    const { status } = run;
    const wanted = { failed: FAILED, skipped: SKIPPED }[filter.s];
    const outcome = run.columns.findIndex((_, c) => status[c][item] === (wanted ?? FAILED));
    if (outcome >= 0) return [outcome];
    let [low, found] = [Infinity, -1];
    run.columns.forEach((column, c) => {
      const place = share(column, run.values[c][item]);
      if (place !== null && (column.judged || found < 0) && place < low) [low, found] = [place, c];
    });
    return found >= 0 ? [found] : [];
  }
}

const MARKS = { good: "✓ ", bad: "✗ ", failed: "! ", skipped: "", plain: "" };
const SPOKEN = {
  good: " (passes)",
  bad: " (does not pass)",
  failed: " (failed)",
  skipped: " (skipped)",
  plain: "",
};

/** A value or failure in a word or two, coloured and marked. */
const valueChip = (run, column, item, named) => {
  const { text, kind } = verdictOf(run, column, item);
  return el(
    "span",
    { class: `chip ${kind}` },
    el("span", { "aria-hidden": "true" }, MARKS[kind]),
    named && bdi(`${run.columns[column].label} `),
    bdi(text),
    hidden(SPOKEN[kind]),
  );
};
