// Finding quoted words in a text the way the judge's evidence was checked: without regard to white space, case and the
// form of quotation marks, with … for words left out. Positions are kept, so that the words can be marked.

const MOST_SEARCHED = 200_000;
const QUOTES = { "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'" };

/** The text in its plain form, and for every unit of it where it comes from. */
const folded = (text) => {
  let plain = "";
  const from = [];
  const to = [];
  const add = (piece, start, end) => {
    plain += piece;
    for (let i = 0; i < piece.length; i += 1) {
      from.push(start);
      to.push(end);
    }
  };
  for (const match of text.matchAll(/\s+|\p{M}+|\P{M}\p{M}*/gu)) {
    const [piece] = match;
    const end = match.index + piece.length;
    if (/^\s/u.test(piece)) add(" ", match.index, end);
    else add((QUOTES[piece] ?? piece).normalize("NFKC").toUpperCase().toLowerCase(), match.index, end);
  }
  return { plain, from, to };
};

/** Where the quotation stands: one mark for each of its pieces; none when it is not there. */
const quoteMarks = (text, quote, kind, title) => {
  if (text.length > MOST_SEARCHED) return [];
  const { plain, from, to } = folded(text);
  const marks = [];
  let position = 0;
  for (const piece of quote.split(/…|\.{3}|\[\.{3}\]/u)) {
    const wanted = folded(piece).plain.replace(/^[\s"'`]+|[\s"'`]+$/gu, "");
    if (!wanted) continue;
    const at = plain.indexOf(wanted, position);
    if (at < 0) return [];
    position = at + wanted.length;
    marks.push({ from: from[at], to: to[position - 1], kind, title });
  }
  return marks;
};

/** Where searched words stand. */
const hitMarks = (text, terms) => {
  if (!terms.length) return [];
  const pattern = terms.map((term) => term.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&")).join("|");
  return [...text.slice(0, MOST_SEARCHED).matchAll(new RegExp(pattern, "giu"))].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
    kind: "hit",
    title: null,
  }));
};

/** The quotations that an item's outcomes take from each message: `[message, quote, criterion]`. */
const quotesOf = (run, record, item) => {
  const found = [];
  run.columns.forEach((column, c) => {
    for (const { message, quote, found: holds } of record.facts.get(`${item}/${c}`)?.evidence ?? [])
      if (holds && quote && message !== null) found.push([message, quote, column]);
  });
  return found;
};
