// Light or dark as the system says, unless somebody chose. Runs before the page is painted.

(() => {
  const KEY = "fanfare-theme";
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const root = document.documentElement;

  const chosen = () => {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto";
    }
  };

  const wear = (theme) => {
    root.dataset.theme = theme in NEXT ? theme : "auto";
  };

  wear(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => {
      button.textContent = `Theme: ${root.dataset.theme}`;
    };
    say();
    button.addEventListener("click", () => {
      wear(NEXT[root.dataset.theme]);
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // Forbidden: it lasts as long as the page.
      }
      say();
    });
  });
})();
