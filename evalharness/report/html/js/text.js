// Showing text from outside: characters that hide or reorder text are written out; what is marked is marked.

/** Control, direction and invisible characters, tab and line feed apart: the same as in the rest of evalharness. */
const UNSAFE = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
    "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\ud800-\\udfff" +
    "\\u{e0000}-\\u{e0fff}]",
  "gu",
);

/** `<U+202E>` and the like, as elsewhere in evalharness. */
const codeName = (char) => {
  const code = char.codePointAt(0);
  const digits = code.toString(16);
  return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `<U+${digits.toUpperCase().padStart(4, "0")}>`;
};

/** The text with hidden characters written out, as plain text: for titles and labels. */
const visible = (text) => text.replace(UNSAFE, codeName);

/** The text as nodes, hidden characters written out and set apart. */
const shown = (text) => {
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(UNSAFE)) {
    parts.append(text.slice(from, match.index));
    parts.append(el("span", { class: "code", title: "a character that can't be seen" }, codeName(match[0])));
    from = match.index + match[0].length;
  }
  parts.append(text.slice(from));
  return parts;
};

/**
 * The text as nodes with parts marked. `marks` are `{from, to, kind, title}` in UTF-16 units; where they overlap the
 * first one that starts counts.
 */
const marked = (text, marks) => {
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const mark of [...marks].sort((a, b) => a.from - b.from || b.to - a.to)) {
    if (mark.from < from || mark.to <= mark.from) continue;
    parts.append(shown(text.slice(from, mark.from)));
    parts.append(el("mark", { class: mark.kind, title: mark.title }, shown(text.slice(mark.from, mark.to))));
    from = mark.to;
  }
  parts.append(shown(text.slice(from)));
  return parts;
};

/** One line of at most `limit` characters. */
const brief = (text, limit) => {
  const flat = text
    .slice(0, 4 * limit)
    .replace(/\s+/gu, " ")
    .trim();
  const chars = Array.from(flat);
  return chars.length <= limit && text.length <= 4 * limit ? flat : `${chars.slice(0, limit - 1).join("")}…`;
};

/** JSON indented for reading without changing any of its tokens; null when the text is not JSON. */
const indented = (text) => {
  try {
    if (typeof JSON.parse(text) !== "object") return null;
  } catch {
    return null;
  }
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gu) ?? [];
  let out = "";
  tokens.forEach((token, i) => {
    if (token === "}" || token === "]") {
      depth -= 1;
      out += tokens[i - 1] === "{" || tokens[i - 1] === "[" ? token : line() + token;
    } else if (token === "{" || token === "[") {
      depth += 1;
      out += tokens[i + 1] === "}" || tokens[i + 1] === "]" ? token : token + line();
    } else out += token === "," ? token + line() : token === ":" ? ": " : token;
  });
  return out;
};
