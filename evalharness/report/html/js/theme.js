// Colours: as the system has them, or light or dark by choice, remembered where the browser allows.

const THEMES = ["system", "light", "dark"];
const THEME_KEY = "evalharness-theme";

const stored = (key) => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};

const store = (key, value) => {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Private windows and some browsers keep nothing for files: the choice then lasts as long as the page.
  }
};

const setTheme = (theme, button) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system" : theme}`);
  button.title = button.getAttribute("aria-label");
};

const startTheme = () => {
  const button = byId("theme");
  let theme = THEMES.includes(stored(THEME_KEY)) ? stored(THEME_KEY) : "system";
  setTheme(theme, button);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme, button);
    store(THEME_KEY, theme);
  });
};
