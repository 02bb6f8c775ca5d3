// The page for raters. All answers stay in this browser until they are exported; nothing leaves the page by itself.

const CANNOT = "cannot_assess";
const KEYS = [
  ["1 … 9", "choose a level of the marked question"],
  ["c", "cannot assess, where the question allows it"],
  ["Tab", "go to the next button or field"],
  ["Enter", "next item without answers"],
  ["j, k", "next, previous item"],
  ["u", "undo the last answer"],
  ["m", "write a comment"],
  ["e", "export as CSV"],
  ["?", "this help"],
];

/** The data: packed, so that a glance at the source tells a rater nothing. */
const unpacked = async (id) => {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
};

/** Answers by item, kept in the browser where it allows that. */
class Answers {
  constructor(key) {
    this.key = key;
    this.rater = "";
    this.items = {};
    this.history = [];
    this.kept = true;
    const saved = stored(key);
    if (saved) Object.assign(this, JSON.parse(saved));
  }

  save() {
    const text = JSON.stringify({ rater: this.rater, items: this.items, history: this.history.slice(-500) });
    try {
      localStorage.setItem(this.key, text);
    } catch {
      this.kept = false;
    }
  }

  of(item) {
    return (this.items[item] ??= { values: {}, comment: "" });
  }

  choose(item, criterion, value) {
    const values = this.of(item).values;
    this.history.push([item, criterion, values[criterion] ?? null]);
    values[criterion] = value;
    this.save();
  }

  undo() {
    const last = this.history.pop();
    if (!last) return null;
    const [item, criterion, before] = last;
    const values = this.of(item).values;
    if (before === null) delete values[criterion];
    else values[criterion] = before;
    this.save();
    return last;
  }
}

/** A cell as spreadsheets may open it: a text that could start a formula gets an apostrophe. */
const cell = (value) => {
  const text = String(value ?? "");
  const start = text.normalize("NFKC").replace(/^['\s\u200b-\u200f\u2060\ufeff]+/u, "");
  const safe = typeof value !== "number" && /^[=+\-@\t\r\n|%]/u.test(start) ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

const FIELDS = ["dialogue", "turn", "criterion", "rater", "value", "comment", "probability"];

class Desk {
  constructor(data, answers) {
    this.data = data;
    this.answers = answers;
    this.at = 0;
    this.active = 0;
    this.main = byId("main");
  }

  start() {
    document.addEventListener("keydown", (event) => this.key(event));
    byId("help-open").addEventListener("click", () => this.help());
    if (this.data.rater) this.answers.rater ||= this.data.rater;
    if (this.answers.rater) this.open(Math.max(0, this.next(-1)));
    else this.welcome();
  }

  get criteria() {
    return this.data.criteria;
  }

  get item() {
    return this.data.items[this.at];
  }

  welcome() {
    const name = el("input", { id: "rater", type: "text", autocomplete: "off", maxlength: "100", required: true });
    const begin = (event) => {
      event.preventDefault();
      if (!name.value.trim()) return name.focus();
      this.answers.rater = name.value.trim();
      this.answers.save();
      return this.open(Math.max(0, this.next(-1)));
    };
    this.main.append(
      el(
        "form",
        { class: "welcome", onsubmit: begin },
        el("h2", {}, `${count(this.data.items.length, "item")} to label`),
        el("p", { dir: "auto" }, shown(this.data.about)),
        el(
          "p",
          {},
          "You see neither what a judge said nor which system answered. Answers stay in this browser until you export them.",
        ),
        el("label", { for: "rater" }, "Your name, as it will stand in the labels"),
        name,
        el("p", { class: "row" }, el("button", { class: "primary" }, "Begin")),
      ),
    );
    name.focus();
    this.status();
  }

  complete(index) {
    const values = this.answers.items[index]?.values ?? {};
    return this.criteria.every((criterion) => values[criterion.id] !== undefined);
  }

  /** The next item without all answers, looking on from one and round; -1 where all are done. */
  next(from) {
    const total = this.data.items.length;
    for (let step = 1; step <= total; step += 1) {
      const index = (from + step) % total;
      if (!this.complete(index)) return index;
    }
    return -1;
  }

  open(index) {
    this.at = index;
    const values = this.answers.of(index).values;
    this.active = Math.max(
      0,
      this.criteria.findIndex((criterion) => values[criterion.id] === undefined),
    );
    const talk = el("section", { class: "talk", "aria-label": "Conversation" }, this.conversation());
    const desk = el("div", { class: "desk" }, talk, this.form());
    for (const old of this.main.querySelectorAll(".desk, .welcome")) old.remove();
    this.main.append(desk);
    const judged = talk.querySelector(".judged");
    if (judged) judged.scrollIntoView({ block: "center" });
    else window.scrollTo(0, 0);
    this.paint();
  }

  conversation() {
    const { goal, tools, context, messages, turn } = this.item;
    return [
      el("h2", {}, turn === null ? "The whole dialogue is judged" : "The marked reply is judged"),
      goal && el("p", { dir: "auto" }, "Goal of the user: ", shown(goal)),
      documents(count(context?.length ?? 0, "document"), context),
      tools?.length > 0 &&
        fold(
          count(tools.length, "tool"),
          el(
            "ul",
            {},
            tools.map((tool) => el("li", {}, el("code", {}, bdi(tool.name)), " ", shown(tool.description ?? ""))),
          ),
        ),
      el(
        "ol",
        {},
        messages.map((message, index) => this.message(message, index === turn)),
      ),
    ];
  }

  message(message, judged) {
    const title = judged ? `${message.role} — the reply to judge` : message.role;
    return el(
      "li",
      { class: `say ${message.role}${judged ? " judged" : ""}` },
      el("h3", {}, title),
      messageContent(message, () => [], ""),
      documents(count(message.context?.length ?? 0, "context document"), message.context),
    );
  }

  form() {
    const comment = el("textarea", {
      id: "comment",
      dir: "auto",
      maxlength: "4000",
      oninput: (event) => {
        this.answers.of(this.at).comment = event.target.value;
        this.answers.save();
      },
    });
    comment.value = this.answers.of(this.at).comment;
    return el(
      "section",
      { class: "form", "aria-label": "Questions" },
      this.criteria.map((criterion, place) => this.question(criterion, place)),
      el("label", { for: "comment" }, "Comment"),
      comment,
      el(
        "div",
        { class: "row" },
        el("button", { type: "button", onclick: () => this.step(-1) }, "Previous"),
        el("button", { type: "button", class: "primary", onclick: () => this.onward() }, "Next"),
        el("button", { type: "button", class: "quiet", onclick: () => this.undo() }, "Undo"),
      ),
      el(
        "div",
        { class: "row" },
        el("button", { type: "button", id: "csv", onclick: () => this.export("csv") }, "Export CSV"),
        el("button", { type: "button", id: "jsonl", onclick: () => this.export("jsonl") }, "Export JSON Lines"),
      ),
      !this.answers.kept &&
        el("p", { class: "alert warning" }, "This browser keeps nothing for this page: export before you close it."),
    );
  }

  question(criterion, place) {
    const choices = criterion.levels.map((level, index) => this.choice(place, index, level.label, level.text));
    return el(
      "fieldset",
      { class: "ask", id: `ask-${place}` },
      el("legend", { dir: "auto" }, shown(criterion.question)),
      el("div", { class: "levels" }, choices, criterion.levels.length === 0 && this.numeric(criterion, place)),
      criterion.cannot_assess &&
        el(
          "button",
          { type: "button", class: "quiet", "data-value": CANNOT, onclick: () => this.choose(place, CANNOT) },
          el("kbd", {}, "c"),
          " cannot assess",
        ),
    );
  }

  choice(place, index, label, text) {
    return el(
      "button",
      { type: "button", class: "level", "data-value": index, onclick: () => this.choose(place, index) },
      el("kbd", {}, String(index + 1)),
      el("span", { dir: "auto" }, shown(text && label !== String(index + 1) ? `${label}: ${text}` : text || label)),
    );
  }

  numeric(criterion, place) {
    const input = el("input", {
      type: "number",
      step: "any",
      min: criterion.low,
      max: criterion.high,
      "aria-label": "A number",
      onchange: (event) => {
        const value = event.target.valueAsNumber;
        const fits = Number.isFinite(value) && !event.target.validity.rangeUnderflow && !event.target.validity.rangeOverflow;
        if (fits) this.choose(place, { number: value });
        else event.target.reportValidity();
      },
    });
    const held = this.answers.of(this.at).values[criterion.id];
    if (held?.number !== undefined) input.value = held.number;
    return input;
  }

  choose(place, value) {
    this.answers.choose(this.at, this.criteria[place].id, value);
    const values = this.answers.of(this.at).values;
    const open = this.criteria.findIndex((criterion) => values[criterion.id] === undefined);
    this.active = open < 0 ? place : open;
    this.paint();
  }

  undo() {
    const undone = this.answers.undo();
    if (!undone) return;
    this.open(Number(undone[0]));
    this.active = this.criteria.findIndex((criterion) => criterion.id === undone[1]);
    this.paint();
  }

  step(by) {
    this.open((this.at + by + this.data.items.length) % this.data.items.length);
  }

  onward() {
    const index = this.next(this.at);
    if (index >= 0) this.open(index);
    else byId("csv").focus();
  }

  paint() {
    const values = this.answers.of(this.at).values;
    this.criteria.forEach((criterion, place) => {
      const ask = byId(`ask-${place}`);
      ask.classList.toggle("active", place === this.active);
      for (const button of ask.querySelectorAll("button[data-value]"))
        button.setAttribute("aria-pressed", String(button.dataset.value === String(values[criterion.id])));
    });
    byId(`ask-${this.active}`).scrollIntoView({ block: "nearest" });
    this.status();
  }

  status() {
    const total = this.data.items.length;
    const done = this.data.items.filter((_, index) => this.complete(index)).length;
    byId("progress").max = total;
    byId("progress").value = done;
    byId("count").textContent = done === total ? `all ${total} done: export them` : `${done} of ${total} done`;
  }

  rows() {
    return this.data.items.flatMap((item, index) => {
      const answer = this.answers.items[index];
      if (!answer) return [];
      return this.criteria.flatMap((criterion) => {
        const value = answer.values[criterion.id];
        if (value === undefined || value === CANNOT) return [];
        const label = typeof value === "object" ? value.number : criterion.levels[value].value;
        const row = { dialogue: item.id, turn: item.turn, criterion: criterion.id, rater: this.answers.rater };
        return [{ ...row, value: label, comment: answer.comment, probability: item.probability }];
      });
    });
  }

  export(kind) {
    const rows = this.rows();
    const csv = () => [FIELDS, ...rows.map((row) => FIELDS.map((field) => row[field]))];
    const text =
      kind === "csv"
        ? csv()
            .map((row) => `${row.map(cell).join(",")}\r\n`)
            .join("")
        : rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const anchor = el("a", { href: address, download: `labels-${this.data.slot}.${kind}` });
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    byId("count").textContent = `${count(rows.length, "label")} exported`;
  }

  help() {
    const dialog = el(
      "dialog",
      { "aria-label": "Keyboard shortcuts" },
      el("h2", {}, "Keys"),
      el(
        "dl",
        {},
        KEYS.map(([keys, what]) => el("div", {}, el("dt", {}, el("kbd", {}, keys)), el("dd", {}, what))),
      ),
      el("button", { type: "button", onclick: () => dialog.close() }, "Close"),
    );
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  key(event) {
    const field = event.target.closest?.("input, textarea");
    if (event.key === "Escape" && field) return field.blur();
    if (field || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return undefined;
    if (event.key === "?") return this.help();
    if (!this.main.querySelector(".desk")) return undefined;
    return this.deskKey(event);
  }

  deskKey(event) {
    const criterion = this.criteria[this.active];
    const level = Number(event.key) - 1;
    const acts = {
      j: () => this.step(1),
      k: () => this.step(-1),
      u: () => this.undo(),
      m: () => byId("comment").focus(),
      e: () => this.export("csv"),
    };
    if (event.key in acts) acts[event.key]();
    else if (event.key === "Enter" && event.target.tagName !== "BUTTON" && event.target.tagName !== "SUMMARY") this.onward();
    else if (event.key === "c" && criterion.cannot_assess) this.choose(this.active, CANNOT);
    else if (level >= 0 && level < criterion.levels.length) this.choose(this.active, level);
    else return;
    event.preventDefault();
  }
}

startTheme();
unpacked("items").then((data) => new Desk(data, new Answers(`evalharness-label-${data.key}`)).start());
