// Putting it together: the address says what is shown; controls change the address.

const AT_TOP = 80;

class App {
  constructor(run) {
    this.run = run;
    this.search = new SearchIndex(run);
    this.filter = { ...EMPTY_FILTER, slices: [] };
    this.here = null;
    this.list = new List(run);
    this.panel = new Panel(run, (change) => this.change(change));
    this.live = el("p", { class: "hidden", role: "status" });
    const announce = (text) => this.announce(text);
    this.conversation = new Conversation(run, {
      move: (step) => this.move(step),
      back: () => this.back(),
      announce,
    });
    this.explorer = byId("explorer");
    this.side = el("div", { class: "side" }, this.panel.element, this.list.element);
    this.toast = el("p", { class: "toast", "aria-hidden": "true", hidden: true });
    this.explorer.append(this.side, this.conversation.element, this.live, this.toast);
    this.explorer.hidden = false;
  }

  start() {
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
    const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 500));
    idle(() => this.search.prepare());
  }

  /** Does what the address says. */
  follow() {
    const asked = readAddress(location.hash);
    if (!asked) {
      if (!this.listed) {
        this.apply(this.filter);
        this.#openFirst();
      }
      return;
    }
    const place = asked.id === null ? null : this.#place(asked);
    if (place) this.here = place;
    if (asked.filter || !this.listed) this.apply(asked.filter ?? this.filter);
    if (asked.id === null) this.#showList();
    else if (place) this.#read(place, { focus: true });
    else this.#missing(asked.id);
  }

  #place({ id, turn }) {
    const n = this.run.byId.get(id);
    if (n === undefined) return null;
    return { n, turn: turn !== null && turn < this.run.dialogues[n].messages ? turn : null };
  }

  #missing(id) {
    this.here = null;
    this.explorer.classList.add("reading");
    this.conversation.missing(id);
    this.conversation.element.scrollIntoView();
  }

  #showList() {
    this.explorer.classList.remove("reading");
    this.explorer.scrollIntoView();
    this.#openFirst(true);
  }

  /**
   * Beside the list there is room for a conversation: the first one, or the one that is open if the list has it. It is
   * brought into view when the list stands at the top of the window, so that nothing jumps away from the controls.
   */
  async #openFirst(reveal = false) {
    if (!this.list.rows.length || !this.conversation.element.offsetParent) return;
    const inView = reveal || this.explorer.getBoundingClientRect().top <= AT_TOP;
    const row = Math.max(0, this.here ? this.list.find(this.here) : 0);
    this.list.choose(row);
    this.here = this.list.place(row);
    await this.conversation.open(this.here, this.filter, this.#position());
    if (inView) this.conversation.show();
  }

  /** Reads at a place of a dialogue; the list follows where it can. */
  async #read(place, { focus = false } = {}) {
    this.here = place;
    this.list.choose(this.list.find(place));
    this.explorer.classList.add("reading");
    await this.conversation.open(place, this.filter, this.#position());
    this.conversation.show({ focus });
  }

  #position() {
    const { current, rows } = this.list;
    return current < 0
      ? "not in the list"
      : `${(current + 1).toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  }

  /** Changes parts of the filter. */
  change(change) {
    const filter = { ...this.filter, ...change };
    if (change.c >= 0 && !filter.sort) filter.sort = "worst";
    history.replaceState(null, "", address(null, filter));
    this.apply(filter);
    this.#openFirst();
  }

  /** Lists what matches; text search waits until all texts are read, and says so. */
  async apply(filter) {
    this.filter = filter;
    this.listed = true;
    this.panel.show(filter);
    if (filter.q && !this.search.ready) {
      await this.search.prepare((part) => this.panel.say(`Reading texts … ${Math.round(part * 100)} %`));
      if (this.filter !== filter) return;
      this.#show(filter);
      this.#openFirst();
      return;
    }
    this.#show(filter);
  }

  #show(filter) {
    const unit = shownUnit(filter);
    const rows = select(this.run, this.search, filter);
    this.list.show(rows, unit, filter, this.here);
    this.panel.say(this.#said(rows, unit));
  }

  #said(rows, unit) {
    const total = unit === "items" ? this.run.size : this.run.dialogues.length;
    const noun = unit === "items" ? "scored item" : "dialogue";
    return rows.length === total
      ? count(total, noun)
      : `${rows.length.toLocaleString("en")} of ${count(total, noun)}`;
  }

  /** Goes through the list. */
  move(step) {
    const row = Math.min(this.list.rows.length - 1, Math.max(0, this.list.current + step));
    if (row < 0 || (row === this.list.current && this.explorer.classList.contains("reading"))) return;
    this.#go(this.list.place(row));
  }

  /** Goes to the next scored reply of this dialogue. */
  turn(step) {
    const turn = this.conversation.neighbour(step);
    if (turn !== null) this.#go({ n: this.here.n, turn });
  }

  /** Goes somewhere without a new entry in the browser's history: stepping on would fill it. */
  #go(place) {
    history.replaceState(
      null,
      "",
      address(placeAddress(this.run.dialogues[place.n].id, place.turn), this.filter),
    );
    this.#read(place);
  }

  back() {
    history.replaceState(null, "", address(null, this.filter));
    this.explorer.classList.remove("reading");
    this.list.reveal();
    this.list.focus();
  }

  announce(text) {
    this.live.textContent = text;
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => {
      this.toast.hidden = true;
      this.live.textContent = "";
    }, 2500);
  }

  escape() {
    const { query } = this.panel;
    if (document.activeElement === query && query.value) {
      query.value = "";
      this.change({ q: "" });
      return;
    }
    this.back();
  }

  /** What the keys do; an action that gives false leaves the key to the browser. */
  keys(help) {
    return {
      j: () => this.move(1),
      k: () => this.move(-1),
      n: () => this.turn(1),
      p: () => this.turn(-1),
      x: () => this.conversation.toggleAll(),
      c: () =>
        this.here &&
        copyLink(this.run.dialogues[this.here.n].id, this.here.turn, (text) => this.announce(text)),
      "/": () => this.panel.query.focus(),
      "?": () => help.showModal(),
      Escape: () => this.escape(),
      Enter: (event) =>
        event.target === document.body && this.here ? this.#read(this.here, { focus: true }) : false,
    };
  }
}

/** Everything that a judge said is on paper; on screen it is folded again. */
const startPrinting = () => {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".pane details:not([open])")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
};

startTheme();
const help = makeHelp();
startPrinting();
// The figures are painted before the dialogues are read.
requestAnimationFrame(() =>
  setTimeout(async () => {
    try {
      const app = new App(await readRun());
      startKeys(app.keys(help), help);
      app.start();
    } catch (error) {
      const text = `This browser can't show the dialogues (${error.message}). A newer one can; scores.jsonl has all scores.`;
      byId("dialogues").append(el("p", { class: "alert warning", role: "alert" }, text));
    }
  }),
);
