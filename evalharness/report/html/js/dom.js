// Building the page. Strings only ever become text or attribute values of elements made here; nothing in these scripts
// turns a string into markup, and the page's policy would refuse it.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes with a function are listeners (`onclick`), `true` sets and `false`/null leaves one out. */
const el = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** The same for SVG. */
const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

const filled = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
};

const setAttribute = (element, name, value) => {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined)
    element.setAttribute(name, String(value));
};

/** A link within the page: any other address is an error of ours. */
const link = (href, attributes, ...children) => {
  if (!href.startsWith("#")) throw new Error("only links within the page");
  return el("a", { ...attributes, href }, ...children);
};

/** Text of unknown direction that must not disturb what stands beside it. */
const bdi = (text, attributes = {}) => el("bdi", attributes, shown(text));

const hidden = (text) => el("span", { class: "hidden" }, text);

const byId = (id) => document.getElementById(id);

const count = (number, noun, plural = `${noun}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
