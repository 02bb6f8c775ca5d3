// The run as it stands in the page: an index of all items, and blocks of dialogues that are read when they are wanted.

const NONE = 0;
const SCORED = 1;
const FAILED = 2;
const SKIPPED = 3;
const WHOLE = -1;
const INVISIBLE = 1;
const HASHED_ID = 2;
/** What is known of an item from elsewhere, by its bit in the file. */
const MARKED = { new: 1, human: 2, uncertain: 4 };

/** A data block: JSON as it stands, or packed where that makes the file smaller. */
const readIsland = async (id) => {
  const text = byId(id).textContent;
  return JSON.parse(byId(id).type === "application/json" ? text : await unpacked(text));
};

const unpacked = async (text) => {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).text();
};

/** Everything that lists and filters need, in arrays by item; see `report.html.entries` for the form in the file. */
const readRun = async () => {
  const raw = await readIsland("run-index");
  const size = raw.dialogues.reduce((sum, row) => sum + row[7].length, 0);
  const run = {
    ...raw,
    size,
    itemDialogue: new Int32Array(size),
    itemTurn: new Int32Array(size),
    snippets: new Array(size),
    marks: new Uint8Array(size),
    values: raw.columns.map(() => new Float64Array(size).fill(NaN)),
    status: raw.columns.map(() => new Uint8Array(size)),
    why: raw.columns.map(() => new Uint8Array(size)),
    unfound: raw.columns.map(() => new Set()),
    split: raw.columns.map(() => new Map()),
    byId: new Map(),
  };
  run.dialogues = [];
  let item = 0;
  for (const row of raw.dialogues) {
    const [id, group, system, line, flags, messages, title, items, source, facets] = row;
    const n = run.dialogues.length;
    run.dialogues.push({
      n,
      id,
      group,
      system,
      source: raw.sources[source],
      line,
      flags,
      messages,
      title,
      facets,
      first: item,
      end: item + items.length,
    });
    run.byId.set(id, n);
    for (const [turn, snippet, cells, unfound, split, marks] of items) {
      run.itemDialogue[item] = n;
      run.itemTurn[item] = turn;
      run.snippets[item] = snippet;
      run.marks[item] = marks ?? 0;
      cells.forEach((cell, column) => readCell(run, column, item, cell));
      for (const column of unfound ?? []) run.unfound[column].add(item);
      for (const [column, apart] of split ?? []) run.split[column].set(item, apart);
      item += 1;
    }
  }
  placeBlocks(run);
  return run;
};

const readCell = (run, column, item, cell) => {
  if (typeof cell === "number") {
    run.status[column][item] = SCORED;
    run.values[column][item] = cell;
  } else if (cell.length) {
    run.status[column][item] = SCORED + cell[0];
    run.why[column][item] = cell[1];
  }
};

const placeBlocks = (run) => {
  let n = 0;
  run.blocks.forEach((length, block) => {
    for (let place = 0; place < length; place += 1, n += 1) Object.assign(run.dialogues[n], { block, place });
  });
  run.loaded = new Map();
};

const KEPT_BLOCKS = 8;

/** The records of a block; the few used last stay in memory. */
const readBlock = async (run, block) => {
  const kept = run.loaded.get(block);
  run.loaded.delete(block);
  const records = kept ?? readIsland(`block-${block}`);
  run.loaded.set(block, records);
  if (run.loaded.size > KEPT_BLOCKS) run.loaded.delete(run.loaded.keys().next().value);
  return records;
};

/** What is known of one dialogue: its messages as they were read, and for each item what results say. */
const readRecord = async (run, dialogue) => {
  const { d, o } = (await readBlock(run, dialogue.block))[dialogue.place];
  const facts = new Map();
  for (const [item, column, said] of o) facts.set(`${dialogue.first + item}/${column}`, said);
  return { dialogue: d, facts };
};

/** The number of the item of a dialogue with this turn; null where nothing was scored. */
const itemOf = (run, dialogue, turn) => {
  for (let item = dialogue.first; item < dialogue.end; item += 1)
    if (run.itemTurn[item] === turn) return item;
  return null;
};
