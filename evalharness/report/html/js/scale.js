// Values on their scales: whether they pass, how good they are, how they are written.

/** Whether a value is good by the column's rule; null where there is none. `==` states the good answer of yes/no. */
const passes = (column, value) => {
  if (!column.passes || Number.isNaN(value)) return null;
  const [op, bound] = column.passes;
  if (op === ">=") return value >= bound;
  if (op === "<=") return value <= bound;
  if (op === ">") return value > bound;
  if (op === "<") return value < bound;
  return Math.abs(value - bound) < 0.5;
};

/** Place on the scale from 0 (worst) to 1 (best): for orders of reading and colours; null where there is none. */
const share = (column, value) => {
  if (Number.isNaN(value) || column.low === null || column.high === null || column.better === null)
    return null;
  if (column.high <= column.low) return null;
  const place = Math.min(1, Math.max(0, (value - column.low) / (column.high - column.low)));
  return column.better ? place : 1 - place;
};

/** About three digits, as in the tables of the report. */
const figure = (value) => {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 || size === 0 ? 2 : 3;
  const text = Number.isInteger(value) && size < 1e6 ? String(value) : value.toFixed(digits);
  return text.replace("-", "\u2212");
};

/** The value as people read it: yes and no where the levels are these, the level's name where it is one. */
const written = (run, column, item) => {
  const facts = run.columns[column];
  if (facts.nominal) return facts.levels[run.why[column][item]] ?? "?";
  const value = run.values[column][item];
  if (facts.levels.length === 2 && facts.low === 0 && facts.high === 1 && Number.isInteger(value))
    return facts.levels[value];
  return figure(value);
};

/** What stands for an outcome in a list: its text, and whether it is good, bad, failed, skipped or neither. */
const verdictOf = (run, column, item) => {
  const status = run.status[column][item];
  if (status === FAILED) return { text: words(run.causes[run.why[column][item]]), kind: "failed" };
  if (status === SKIPPED) return { text: words(run.reasons[run.why[column][item]]), kind: "skipped" };
  if (status === NONE) return { text: "pending", kind: "skipped" };
  const pass = passes(run.columns[column], run.values[column][item]);
  return { text: written(run, column, item), kind: pass === null ? "plain" : pass ? "good" : "bad" };
};

const words = (name) => name.replaceAll("_", " ");

/** The columns that answer the same question as this one: the same criterion of the same rubric by other judges. */
const rivals = (run, column) => {
  const { rubric, criterion } = run.columns[column];
  return run.columns.flatMap((other, n) =>
    other.judged && other.rubric === rubric && other.criterion === criterion ? [n] : [],
  );
};

/** How far judges are apart on an item, in shares of the scale. */
const gap = (run, columns, item) => {
  const shares = columns.map((c) => share(run.columns[c], run.values[c][item])).filter((s) => s !== null);
  return shares.length > 1 ? Math.max(...shares) - Math.min(...shares) : 0;
};
