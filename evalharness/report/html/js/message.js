// One message of a conversation, with what belongs to it.

const LONG_TEXT = 12_000;
const FOLDED_LINES = 12;

/** A text that may be very long: its start, and the rest when asked for. `marks` are parts of it to mark. */
const longText = (text, marks, tag = "div") => {
  const body = el(tag, { class: "text", dir: "auto" });
  const full = text.length <= LONG_TEXT;
  body.append(
    full
      ? marked(text, marks)
      : marked(
          text.slice(0, LONG_TEXT),
          marks.filter((mark) => mark.to <= LONG_TEXT),
        ),
  );
  if (full) return body;
  const more = el(
    "button",
    { type: "button", class: "quiet more-text" },
    `Show all ${text.length.toLocaleString("en")} characters`,
  );
  more.addEventListener("click", () => {
    body.replaceChildren(marked(text, marks));
    more.remove();
    body.setAttribute("tabindex", "-1");
    body.focus({ preventScroll: true });
  });
  return el("div", {}, body, more);
};

const fold = (summary, content, attributes = {}) =>
  el("details", { class: "fold", ...attributes }, el("summary", {}, summary), content);

const pre = (text) =>
  el(
    "pre",
    { dir: "auto", tabindex: "0" },
    shown(text.slice(0, LONG_TEXT)),
    text.length > LONG_TEXT && ` … (${text.length.toLocaleString("en")} characters)`,
  );

/** JSON or other text of a tool, indented where nothing that is to be marked is lost by it; open where it is marked. */
const toolText = (kind, name, text, marker) => {
  const tidy = indented(text) ?? text;
  const plain = marker(tidy).length ? tidy : marker(text).length ? text : tidy;
  const marks = marker(plain);
  const title = [
    el("span", { class: "fold-kind" }, kind),
    name && el("code", {}, bdi(name)),
    el("span", { class: "preview" }, bdi(brief(text, 80))),
  ];
  return fold(title, longText(plain, marks, "pre"), { class: "fold tool-text", open: marks.length > 0 });
};

const documents = (title, docs) =>
  docs?.length > 0 &&
  fold(
    title,
    docs.map((doc) =>
      el(
        "div",
        { class: "doc" },
        doc.id !== undefined && el("p", { class: "doc-id" }, bdi(doc.id)),
        longText(doc.text, []),
      ),
    ),
    { class: "fold docs" },
  );

const references = (list) =>
  list?.length > 0 &&
  fold(
    count(list.length, "reference"),
    el(
      "ul",
      { class: "references" },
      list.map((text) => el("li", {}, longText(text, []))),
    ),
    { class: "fold docs" },
  );

const metadataList = (metadata) =>
  el(
    "dl",
    { class: "metadata" },
    Object.entries(metadata).map(([key, value]) =>
      el(
        "div",
        {},
        el("dt", {}, bdi(key)),
        el("dd", { dir: "auto" }, shown(typeof value === "string" ? value : JSON.stringify(value))),
      ),
    ),
  );

/** What a message says and calls; `marker` finds what to mark in a text of it, `answers` is the tool that it answers. */
const messageContent = (message, marker, answers, leftOut = false) => {
  if (leftOut) return [el("p", { class: "none" }, "(text left out)")];
  const calls = (message.tool_calls ?? []).map((call) =>
    toolText("calls", call.function.name, call.function.arguments, marker),
  );
  if (message.role === "tool") return [toolText("result", answers, message.content, marker), ...calls];
  if (message.content) return [longText(message.content, marker(message.content)), ...calls];
  return calls.length ? calls : [el("p", { class: "none" }, "(empty)")];
};

/** A message with its content, and the panel of its verdicts where it is scored. */
const messageElement = (dialogue, message, index, content, verdicts) => {
  const heading = el(
    "h4",
    { class: "m-head" },
    el("span", { class: "role" }, message.role),
    message.name && bdi(message.name, { class: "m-name" }),
    link(placeAddress(dialogue.id, index), { class: "m-index", title: "Link to this message" }, `M${index}`),
    message.id !== undefined && bdi(message.id, { class: "m-id" }),
    message.given && el("span", { class: "tag", title: "History that is not scored." }, "given"),
  );
  return el(
    "li",
    { class: `message ${message.role}${verdicts ? " scored" : ""}`, id: `m-${index}`, tabindex: "-1" },
    el(
      "div",
      { class: "m-main" },
      heading,
      el("div", { class: "m-content" }, content),
      references(message.references),
      documents(count(message.context?.length ?? 0, "context document"), message.context),
      message.metadata && fold("metadata", metadataList(message.metadata)),
    ),
    verdicts && el("div", { class: "m-side" }, verdicts),
  );
};
