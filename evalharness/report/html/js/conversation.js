// The conversation view: a dialogue with everything that is known about it.

const WINDOW = 120;
const STEP = 120;
const LONG_CONVERSATION = 40;

class Conversation {
  /** `move(step)` goes through the list; `announce(text)` is read out. */
  constructor(run, { move, announce, back }) {
    Object.assign(this, { run, announce });
    this.element = el("article", { class: "pane", "aria-label": "Conversation" });
    this.controls = { move, back };
    this.element.append(el("p", { class: "nothing" }, "Choose a dialogue from the list."));
  }

  /** Shows a dialogue at a turn; resolves when it stands. `position` says where the list is. */
  async open(place, filter, position) {
    this.wanted = place;
    const dialogue = this.run.dialogues[place.n];
    const record = await readRecord(this.run, dialogue);
    if (this.wanted !== place) return;
    const kept = this.dialogue === dialogue && this.filter === filter && this.#holds(place.turn);
    Object.assign(this, { dialogue, record, filter, turn: place.turn });
    if (!kept) this.#render();
    this.#position(position);
    this.#markTurn();
  }

  /** Shows that the list has no such dialogue. */
  missing(id) {
    this.dialogue = null;
    this.element.replaceChildren(
      el(
        "p",
        { class: "nothing" },
        "This page has no dialogue ",
        el("code", {}, bdi(id)),
        ". scores.jsonl has the scores of all.",
      ),
    );
  }

  /** Brings the turn (or the top) into view; `focus` also moves the keyboard there. */
  show({ focus = false } = {}) {
    const target = (this.turn !== null && byId(`m-${this.turn}`)) || this.title;
    if (!target) return;
    target.scrollIntoView({ block: "start" });
    if (focus) target.focus({ preventScroll: true });
    if (!this.list.classList.contains("long")) return;
    // In a long conversation heights are guesses until messages come into sight: the second time they are known.
    requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView({ block: "start" })));
  }

  /** Shows a cited message without leaving the turn that cites it. */
  goTo(index) {
    if (!this.#holds(index)) {
      this.#frame(index);
      this.#messages();
      this.#markTurn();
    }
    const target = byId(`m-${index}`);
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
    target.classList.remove("flash");
    requestAnimationFrame(() => target.classList.add("flash"));
  }

  /** The next or previous scored turn of this dialogue, null at the end. */
  neighbour(step) {
    if (!this.dialogue) return null;
    const turns = this.#turns();
    const here = this.turn ?? (step > 0 ? -1 : Infinity);
    return (step > 0 ? turns.find((turn) => turn > here) : turns.findLast((turn) => turn < here)) ?? null;
  }

  /** Opens or closes everything that judges said. */
  toggleAll() {
    const all = [...this.element.querySelectorAll("details.verdict")];
    const open = all.some((details) => !details.open);
    for (const details of all) details.open = open;
  }

  #turns() {
    const { run, dialogue } = this;
    return Array.from(
      { length: dialogue.end - dialogue.first },
      (_, i) => run.itemTurn[dialogue.first + i],
    ).filter((turn) => turn !== WHOLE);
  }

  #holds(turn) {
    return turn === null || (turn >= this.from && turn < this.to);
  }

  #frame(turn) {
    const { length } = this.record.dialogue.messages;
    this.from = length <= WINDOW ? 0 : Math.max(0, (turn ?? 0) - WINDOW / 3);
    this.from = Math.floor(this.from);
    this.to = Math.min(length, this.from + WINDOW);
  }

  #render() {
    this.#frame(this.turn);
    this.verdicts = new Verdicts(this.run, this.record, this.dialogue, this.filter, (message) =>
      this.goTo(message),
    );
    this.list = el("ol", { class: "messages" });
    this.element.replaceChildren(this.#header(), this.list);
    this.#messages();
  }

  #header() {
    const { dialogue, record, run } = this;
    const { goal, tools, context, metadata } = record.dialogue;
    const whole = itemOf(run, dialogue, WHOLE);
    this.title = el("h3", { tabindex: "-1", id: "dialogue-title" }, bdi(dialogue.id));
    this.place = el("span", { class: "position" });
    const button = (text, label, onclick, attributes = {}) =>
      el(
        "button",
        { type: "button", class: "quiet", "aria-label": label, title: label, onclick, ...attributes },
        text,
      );
    return el(
      "header",
      { class: "d-head" },
      el(
        "div",
        { class: "d-tools" },
        button("← List", "Back to the list", this.controls.back, { class: "quiet back" }),
        button("‹", "Previous in the list (k)", () => this.controls.move(-1)),
        this.place,
        button("›", "Next in the list (j)", () => this.controls.move(1)),
        button("Copy link", "Copy a link to this place", () =>
          copyLink(this.dialogue.id, this.turn, this.announce),
        ),
        button("Copy JSON", "Copy the dialogue and its scores as JSON", () =>
          copyRecord(run, dialogue, record, this.announce),
        ),
        run.columns.some((column) => column.judged) &&
          button("Open all", "Open or close all rationales (x)", () => this.toggleAll()),
      ),
      this.title,
      el(
        "p",
        { class: "d-facts" },
        this.#facts().flatMap((part, i) => (i ? [" · ", part] : [part])),
      ),
      (dialogue.flags & INVISIBLE) !== 0 &&
        el(
          "p",
          { class: "alert warning" },
          "This dialogue has characters that can't be seen or that change the direction of text; they are written out.",
        ),
      goal && el("p", { class: "goal", dir: "auto" }, el("strong", {}, "Goal "), shown(goal)),
      metadata && metadataList(metadata),
      whole !== null &&
        el(
          "div",
          { class: "whole" },
          el("h4", {}, "The whole dialogue"),
          this.verdicts.panel(whole, "Scores of the whole dialogue"),
        ),
      tools?.length > 0 &&
        fold(
          count(tools.length, "declared tool"),
          el(
            "dl",
            { class: "tools-list" },
            tools.map((tool) =>
              el(
                "div",
                {},
                el("dt", {}, el("code", {}, bdi(tool.name))),
                el(
                  "dd",
                  { dir: "auto" },
                  shown(tool.description ?? ""),
                  tool.parameters && pre(JSON.stringify(tool.parameters, null, 2)),
                ),
              ),
            ),
          ),
          { class: "fold docs" },
        ),
      documents(count(context?.length ?? 0, "context document"), context),
    );
  }

  #facts() {
    const { dialogue } = this;
    return [
      count(dialogue.messages, "message"),
      dialogue.system && el("span", {}, "system ", bdi(dialogue.system)),
      dialogue.group && dialogue.group !== dialogue.id && el("span", {}, "group ", bdi(dialogue.group)),
      el(
        "span",
        { title: visible(dialogue.source) },
        bdi(dialogue.source.replace(/^.*[/\\]/su, "")),
        `:${dialogue.line}`,
      ),
      (dialogue.flags & HASHED_ID) !== 0 &&
        el(
          "span",
          { class: "tag", title: "The source gave no id; this one is made from the content." },
          "id from content",
        ),
    ].filter(Boolean);
  }

  #messages() {
    const { messages } = this.record.dialogue;
    this.answers = new Map(
      messages.flatMap((message) => (message.tool_calls ?? []).map((call) => [call.id, call.function.name])),
    );
    this.quotes = this.#quotes();
    const part = [];
    for (let index = this.from; index < this.to; index += 1) part.push(this.#message(index));
    this.list.replaceChildren(
      ...(this.from > 0
        ? [this.#more(`Show earlier messages (${this.from} more)`, Math.max(0, this.from - STEP), this.to)]
        : []),
      ...part,
      ...(this.to < messages.length
        ? [
            this.#more(
              `Show later messages (${messages.length - this.to} more)`,
              this.from,
              Math.min(messages.length, this.to + STEP),
            ),
          ]
        : []),
    );
    this.list.setAttribute("start", this.from);
    this.list.classList.toggle("long", this.to - this.from > LONG_CONVERSATION);
  }

  #message(index) {
    const message = this.record.dialogue.messages[index];
    const item = itemOf(this.run, this.dialogue, index);
    const verdicts = item === null ? null : this.verdicts.panel(item, `Scores of message ${index}`);
    return messageElement(this.dialogue, message, index, this.#content(index), verdicts);
  }

  /** What a message says, with evidence and searched words marked. */
  #content(index) {
    const message = this.record.dialogue.messages[index];
    const terms = searchTerms(this.filter.q);
    const title = (column) => `evidence for ${visible(column.label)}, ${visible(column.scorer)}`;
    const marker = (text) => [
      ...(this.quotes.get(index) ?? []).flatMap(([quote, column]) =>
        quoteMarks(text, quote, "evidence-mark", title(column)),
      ),
      ...hitMarks(text, terms),
    ];
    return messageContent(message, marker, this.answers.get(message.tool_call_id) ?? message.name, this.run.textless);
  }

  /** What the outcomes of the chosen turn (or of the whole dialogue) quote, by message. */
  #quotes() {
    const item = itemOf(this.run, this.dialogue, this.turn ?? WHOLE);
    const byMessage = new Map();
    if (item === null) return byMessage;
    for (const [message, quote, column] of quotesOf(this.run, this.record, item))
      byMessage.set(message, [...(byMessage.get(message) ?? []), [quote, column]]);
    return byMessage;
  }

  #more(text, from, to) {
    const show = () => {
      Object.assign(this, { from, to });
      this.#messages();
      this.#markTurn();
    };
    return el(
      "li",
      { class: "more-messages" },
      el("button", { type: "button", class: "quiet", onclick: show }, text),
    );
  }

  #position(position) {
    this.place.textContent = position;
  }

  /** Sets the chosen turn apart, and marks in all messages what its outcomes quote instead of what was marked before. */
  #markTurn() {
    for (const message of this.list.querySelectorAll(".message.chosen")) message.classList.remove("chosen");
    if (this.turn !== null) byId(`m-${this.turn}`)?.classList.add("chosen");
    const before = this.quotes;
    this.quotes = this.#quotes();
    for (const index of new Set([...before.keys(), ...this.quotes.keys()]))
      byId(`m-${index}`)
        ?.querySelector(".m-content")
        .replaceChildren(...this.#content(index));
  }
}
