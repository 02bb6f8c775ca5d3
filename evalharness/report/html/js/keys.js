// Keyboard shortcuts. They are off while something is typed or a dialog is open, and never take a key with Ctrl, Alt or Meta.

const typing = (target) =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

const startKeys = (actions, help) => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
    if (event.key !== "Escape" && typing(event.target)) return;
    const action = actions[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
};
