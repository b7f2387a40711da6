// Makes elements. Text goes in as text, never as markup: it may come from anybody.

const SVG = "http://www.w3.org/2000/svg";

function filled(made, { text, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** An HTML element; `about` has its attributes, and perhaps its `text`. */
export function element(name, about = {}, ...children) {
  return filled(document.createElement(name), about, children);
}

/** The same of SVG. */
export function drawn(name, about = {}, ...children) {
  return filled(document.createElementNS(SVG, name), about, children);
}

export const at = (id) => document.getElementById(id);

/** A button that copies what `text` gives, and says so for a moment. */
export function copyButton(label, text) {
  const button = element("button", { type: "button", class: "small", text: label });
  button.addEventListener("click", async () => {
    const copied = await copy(text());
    button.textContent = copied ? "Copied" : "Not copied";
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, from another machine, a browser has no clipboard.
    return false;
  }
}
