// Addresses: `#dialogue/turn?filter`. The same form as `report.html.links` writes.

const EMPTY_FILTER = Object.freeze({
  q: "",
  rows: "",
  c: -1,
  s: "",
  why: "",
  ge: null,
  le: null,
  lt: null,
  level: -1,
  pass: "",
  system: "",
  flag: "",
  slices: Object.freeze([]),
  sort: "",
});

/** Percent-encoding of any string: the tilde escapes lone surrogates, which percent-encoding can't express. */
const encodeId = (text) =>
  Array.from(text, (char) => {
    if (char.length === 1 && char >= "\ud800" && char <= "\udfff")
      return `~${char.charCodeAt(0).toString(16).toUpperCase()}`;
    return encodeURIComponent(char).replace(
      /[!'()*~]/gu,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  }).join("");

/** The string again; what was not written by `encodeId` comes back as it stands. */
const decodeId = (text) =>
  text
    .split(/(~[0-9A-Fa-f]{4})/u)
    .map((part, i) => {
      if (i % 2) return String.fromCharCode(parseInt(part.slice(1), 16));
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    })
    .join("");

const placeAddress = (id, turn) => `#${encodeId(id)}/${turn === null || turn === WHOLE ? "" : turn}`;

const filterText = (filter) => {
  const parts = [];
  for (const [name, value] of Object.entries(filter)) {
    if (name === "slices")
      for (const [key, wanted] of value) parts.push(`x=${encodeId(key)}:${encodeId(wanted)}`);
    else if (value !== EMPTY_FILTER[name]) parts.push(`${name}=${encodeId(String(value))}`);
  }
  return parts.join("&");
};

const address = (place, filter) => {
  const text = filterText(filter);
  return `${place ?? "#"}${text ? `?${text}` : ""}`;
};

/** `{id, turn, filter}` of an address; null parts are not stated. Anything else (a section's name) gives null. */
const readAddress = (hash) => {
  const [place, ...rest] = hash.replace(/^#/u, "").split("?");
  const slash = place.lastIndexOf("/");
  if (slash < 0 && !rest.length) return null;
  const turn = slash < 0 ? "" : place.slice(slash + 1);
  return {
    id: slash < 0 ? null : decodeId(place.slice(0, slash)),
    turn: /^\d{1,9}$/u.test(turn) ? Number(turn) : null,
    filter: rest.length ? readFilter(rest.join("?")) : null,
  };
};

const readFilter = (text) => {
  const filter = { ...EMPTY_FILTER, slices: [] };
  for (const part of text.split("&")) {
    const [name, raw = ""] = part.split(/=(.*)/su);
    if (name === "x") {
      const [key, value = ""] = raw.split(":");
      filter.slices.push([decodeId(key), decodeId(value)]);
    } else if (name in EMPTY_FILTER && name !== "slices") readPart(filter, name, decodeId(raw));
  }
  return filter;
};

const readPart = (filter, name, text) => {
  const initial = EMPTY_FILTER[name];
  if (typeof initial === "string") filter[name] = text;
  else if (text !== "" && Number.isFinite(Number(text))) filter[name] = Number(text);
};
