// What the list shows: which items or dialogues match the filter, in which order. Nothing here touches the page.

const shownUnit = (filter) => filter.rows || (filter.c >= 0 ? "items" : "dialogues");

/** Numbers of the dialogues or items that match, in the order asked for. */
const select = (run, search, filter) => {
  const test = itemTest(run, search, filter);
  const wide = dialogueTest(run, filter);
  if (shownUnit(filter) === "items") return sortedItems(run, filter, matchingItems(run, wide, test.all));
  return sortedDialogues(run, filter, matchingDialogues(run, search, filter, wide, test));
};

const matchingItems = (run, wide, test) => {
  const found = [];
  for (const dialogue of run.dialogues) {
    if (!wide(dialogue)) continue;
    for (let item = dialogue.first; item < dialogue.end; item += 1) if (test(item)) found.push(item);
  }
  return found;
};

const matchingDialogues = (run, search, filter, wide, test) => {
  const terms = searchTerms(filter.q);
  return run.dialogues.flatMap((dialogue) => {
    if (!wide(dialogue) || (terms.length && !search.inDialogue(dialogue, terms))) return [];
    if (!test.narrow) return [dialogue.n];
    for (let item = dialogue.first; item < dialogue.end; item += 1)
      if (test.narrow(item)) return [dialogue.n];
    return [];
  });
};

/** What is asked of the dialogue itself: its system, its metadata, hidden characters. */
const dialogueTest = (run, filter) => {
  const slices = filter.slices.map(([key, value]) => {
    const place = run.facets.findIndex((facet) => facet.key === key);
    return [place, place < 0 ? -2 : run.facets[place].values.indexOf(value)];
  });
  return (dialogue) =>
    (!filter.system || dialogue.system === filter.system) &&
    (filter.flag !== "invisible" || (dialogue.flags & INVISIBLE) !== 0) &&
    slices.every(([place, value]) => value >= 0 && dialogue.facets[place] === value);
};

/** `narrow` tests the outcomes of an item (null where nothing is asked of them), `all` its text as well. */
const itemTest = (run, search, filter) => {
  const tests = [];
  const columns = filter.c >= 0 && filter.c < run.columns.length ? [filter.c] : run.columns.map((_, n) => n);
  if (filter.c >= 0 || filter.s || filter.pass || ["unfound", "split"].includes(filter.flag)) {
    const outcome = outcomeTest(run, filter);
    tests.push((item) => columns.some((column) => outcome(column, item)));
  }
  const bit = MARKED[filter.flag];
  if (bit) tests.push((item) => (run.marks[item] & bit) !== 0);
  const narrow = tests.length ? (item) => tests.every((test) => test(item)) : null;
  const terms = searchTerms(filter.q);
  const all = (item) => (!narrow || narrow(item)) && (!terms.length || search.inItem(item, terms));
  return { narrow, all };
};

const outcomeTest = (run, filter) => {
  const wanted = { scored: SCORED, failed: FAILED, skipped: SKIPPED }[filter.s] ?? NONE;
  const causes = wanted === FAILED ? run.causes : run.reasons;
  const why = filter.why ? causes.indexOf(filter.why) : -1;
  const valued = filter.ge !== null || filter.le !== null || filter.lt !== null;
  return (column, item) => {
    const status = run.status[column][item];
    if (status === NONE || (wanted && status !== wanted)) return false;
    if (filter.why && run.why[column][item] !== why) return false;
    if (filter.flag === "unfound" && !run.unfound[column].has(item)) return false;
    if (filter.flag === "split" && !run.split[column].has(item)) return false;
    if (filter.level >= 0 && (status !== SCORED || run.why[column][item] !== filter.level)) return false;
    const value = run.values[column][item];
    if (filter.pass && passes(run.columns[column], value) !== (filter.pass === "yes")) return false;
    return !valued || inRange(filter, value);
  };
};

const inRange = (filter, value) =>
  (filter.ge === null || value >= filter.ge) &&
  (filter.le === null || value <= filter.le) &&
  (filter.lt === null || value < filter.lt) &&
  !Number.isNaN(value);

/** A number by which an item is sorted, smallest first; Infinity puts it last. */
const sortKey = (run, filter) => {
  const judged = run.columns.flatMap((column, n) => (column.judged ? [n] : []));
  const counted = judged.length ? judged : run.columns.map((_, n) => n);
  const goodness = filter.c >= 0 ? (item) => order(run, filter.c, item) : (item) => least(run, counted, item);
  switch (filter.sort) {
    case "worst":
      return goodness;
    case "best":
      return (item) => (goodness(item) === Infinity ? Infinity : -goodness(item));
    case "disagreement": {
      const groups = filter.c >= 0 ? [rivals(run, filter.c)] : questions(run, judged);
      const panels = filter.c >= 0 ? [filter.c] : judged;
      return (item) =>
        -Math.max(
          0,
          ...groups.map((group) => gap(run, group, item)),
          ...panels.map((column) => run.split[column].get(item) ?? 0),
        );
    }
    case "failures":
      return (item) => -run.status.reduce((sum, status) => sum + (status[item] === FAILED), 0);
    default:
      return null;
  }
};

/** The value in the direction of the column: lower is worse; without a direction lower comes first. */
const order = (run, column, item) => {
  const value = run.values[column][item];
  if (Number.isNaN(value)) return Infinity;
  return run.columns[column].better === false ? -value : value;
};

const least = (run, columns, item) => {
  let low = Infinity;
  for (const column of columns) {
    const place = share(run.columns[column], run.values[column][item]);
    if (place !== null && place < low) low = place;
  }
  return low;
};

const questions = (run, judged) => {
  const groups = new Map();
  for (const column of judged)
    groups.set(`${run.columns[column].rubric}\n${run.columns[column].criterion}`, rivals(run, column));
  return [...groups.values()].filter((group) => group.length > 1);
};

/** The numbers by their keys, smallest first; equal keys stay in order. */
const byKey = (numbers, key) => {
  const keys = Float64Array.from(numbers, key);
  const places = Uint32Array.from(numbers, (_, place) => place);
  places.sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] < keys[b] ? -1 : 1));
  return Array.from(places, (place) => numbers[place]);
};

const sortedItems = (run, filter, items) => {
  if (filter.sort === "longest")
    return byKey(items, (item) => -run.dialogues[run.itemDialogue[item]].messages);
  const key = sortKey(run, filter);
  return key ? byKey(items, key) : items;
};

const sortedDialogues = (run, filter, numbers) => {
  if (filter.sort === "longest") return byKey(numbers, (n) => -run.dialogues[n].messages);
  const key = sortKey(run, filter);
  if (!key) return numbers;
  return byKey(numbers, (n) => {
    let low = Infinity;
    for (let item = run.dialogues[n].first; item < run.dialogues[n].end; item += 1)
      low = Math.min(low, key(item));
    return low;
  });
};
