// Text search: everything that was said in a dialogue or about it, in lower case, made once from the data blocks.

/** Words and "phrases in quotes" that all must occur. */
const searchTerms = (query) =>
  [...query.toLowerCase().matchAll(/"([^"]+)"|(\S+)/gu)]
    .map((match) => match[1] ?? match[2].replaceAll('"', ""))
    .filter(Boolean);

class SearchIndex {
  constructor(run) {
    this.run = run;
    this.texts = new Array(run.dialogues.length);
    this.ranges = new Int32Array(run.size * 4);
    this.done = 0;
    this.working = null;
  }

  get ready() {
    return this.done === this.run.blocks.length;
  }

  /** Reads all blocks, letting the page breathe in between; `onStep` hears of the share that is done. */
  prepare(onStep = () => {}) {
    this.working ??= this.#readAll();
    this.onStep = onStep;
    return this.working;
  }

  async #readAll() {
    let first = 0;
    for (let block = 0; block < this.run.blocks.length; block += 1) {
      const records = await readBlock(this.run, block);
      records.forEach((record, place) => this.#add(this.run.dialogues[first + place], record));
      first += records.length;
      this.done = block + 1;
      this.onStep(this.done / this.run.blocks.length);
      await breath();
    }
  }

  /** One text for a dialogue, and for each item where its message and what was said about it stand in that text. */
  #add(dialogue, record) {
    const { id, goal = "", metadata = {}, context = [], messages } = record.d;
    const parts = [];
    let length = 0;
    const add = (text) => {
      const lower = text.toLowerCase();
      parts.push(lower);
      length += lower.length + 1;
    };
    add(id);
    add(goal);
    add(JSON.stringify(metadata));
    context.forEach((doc) => add(doc.text));
    const starts = [];
    for (const message of messages) {
      starts.push(length);
      add(messageText(message));
    }
    starts.push(length);
    const about = new Map();
    for (const [item, , facts] of record.o) {
      const from = length;
      add(factsText(facts));
      about.set(item, [about.get(item)?.[0] ?? from, length]);
    }
    this.texts[dialogue.n] = parts.join("\n");
    for (let item = dialogue.first; item < dialogue.end; item += 1) {
      const turn = this.run.itemTurn[item];
      const own = turn === WHOLE ? [0, starts.at(-1)] : [starts[turn], starts[turn + 1]];
      this.ranges.set([...own, ...(about.get(item - dialogue.first) ?? [0, 0])], item * 4);
    }
  }

  inDialogue(dialogue, terms) {
    const text = this.texts[dialogue.n] ?? "";
    return terms.every((term) => text.includes(term));
  }

  inItem(item, terms) {
    const dialogue = this.run.dialogues[this.run.itemDialogue[item]];
    const text = this.texts[dialogue.n] ?? "";
    const [a, b, c, d] = this.ranges.subarray(item * 4, item * 4 + 4);
    const own = () => `${dialogue.id.toLowerCase()}\n${text.slice(a, b)}\n${text.slice(c, d)}`;
    return terms.every((term) => text.includes(term)) && terms.every((term) => own().includes(term));
  }
}

const messageText = (message) =>
  [
    message.content,
    message.name ?? "",
    message.id ?? "",
    ...(message.tool_calls ?? []).map((call) => `${call.function.name} ${call.function.arguments}`),
    ...(message.references ?? []),
    ...(message.context ?? []).map((doc) => doc.text),
  ].join("\n");

const factsText = (facts) =>
  [
    facts.rationale ?? "",
    facts.detail ?? "",
    facts.raw ?? "",
    ...(facts.evidence ?? []).map((e) => e.quote),
  ].join("\n");

/** Gives the browser time for everything else. */
const breath = () => new Promise((resolve) => setTimeout(resolve, 0));
