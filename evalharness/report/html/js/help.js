// The list of keyboard shortcuts.

const SHORTCUTS = [
  ["j / k", "next / previous in the list"],
  ["n / p", "next / previous scored reply of the dialogue"],
  ["Enter", "from the list into the conversation"],
  ["Esc", "from the conversation back to the list; clears the search"],
  ["/", "search"],
  ["x", "open or close all rationales"],
  ["c", "copy a link to this place"],
  ["?", "this help"],
];

const makeHelp = () => {
  const dialog = el(
    "dialog",
    { id: "help", "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Keyboard"),
    el(
      "dl",
      {},
      SHORTCUTS.map(([keys, text]) =>
        el(
          "div",
          {},
          el(
            "dt",
            {},
            keys.split(" / ").flatMap((key, i) => (i ? [" / ", el("kbd", {}, key)] : [el("kbd", {}, key)])),
          ),
          el("dd", {}, text),
        ),
      ),
    ),
    el("button", { type: "button", onclick: () => dialog.close() }, "Close"),
  );
  document.body.append(dialog);
  const button = byId("help-open");
  button.hidden = false;
  button.title = "Keyboard shortcuts (?)";
  button.addEventListener("click", () => dialog.showModal());
  return dialog;
};
