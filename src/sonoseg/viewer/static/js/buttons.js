// Buttons that are drawn: tools, of which one is in hand, and actions.

const SVG = "http://www.w3.org/2000/svg";

/** Tools as radio buttons: arrow keys go from one to the next. */
export function radios(root, tools, take) {
  root.append(
    ...tools.map(({ id, key, title, icon }, n) => {
      const made = button(`tool-${id}`, key, title, title, icon, () => take(id));
      made.setAttribute("role", "radio");
      made.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        const next = tools[(n + by + tools.length) % tools.length].id;
        take(next);
        document.getElementById(`tool-${next}`).focus();
      });
      return made;
    }),
  );
}

/** word: what stands under the drawing. */
export function button(id, key, title, word, icon, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", id, title: `${title} (${key})` });
  made.setAttribute("aria-label", title);
  made.setAttribute("aria-keyshortcuts", key);
  made.append(drawn(icon), Object.assign(document.createElement("span"), { className: "word", textContent: word }));
  made.addEventListener("click", act);
  return made;
}

function drawn(path) {
  const drawing = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "path");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const style = { d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linejoin": "round", "stroke-linecap": "round" };
  for (const [name, value] of Object.entries(style)) line.setAttribute(name, value);
  drawing.append(line);
  return drawing;
}
