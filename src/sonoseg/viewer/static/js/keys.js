// Every key, once: what it does, and the list under "?".

/** rows: [group, keys, sentence, action]. keys: as ``name`` gives them. */
export class Keys {
  constructor(rows, canvas, everywhere) {
    Object.assign(this, { rows, canvas, everywhere });
    this.actions = new Map(rows.flatMap(([, keys, , action]) => keys.map((key) => [key, action])));
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  pressed(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open]") || writes(event.target)) return;
    const key = name(event), held = event.ctrlKey || event.metaKey;
    if (held ? !["Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"].includes(key) : !this.everywhere() && event.target !== this.canvas) return;
    if (steers(event.target, event.key)) return;
    const action = this.actions.get(key);
    if (!action) return;
    event.preventDefault();
    action(key);
  }

  /** Write the list into an element. */
  list(root) {
    const groups = new Map();
    for (const [group, keys, sentence] of this.rows) groups.set(group, [...(groups.get(group) || []), [keys, sentence]]);
    root.replaceChildren(
      ...[...groups].map(([group, rows]) => {
        const part = document.createElement("section"), title = document.createElement("h3");
        title.textContent = group;
        part.append(title);
        for (const [keys, sentence] of rows) {
          const line = document.createElement("div"), said = document.createElement("span"), caps = document.createElement("span");
          said.textContent = sentence;
          const seen = keys.length > 3 ? [keys[0], "…", keys[keys.length - 1]] : keys;
          caps.append(...seen.flatMap((key, n) => [n ? " " : "", key === "…" ? key : cap(key)]));
          line.append(said, caps);
          part.append(line);
        }
        return part;
      }),
    );
  }
}

export function name(event) {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const shifted = event.shiftKey && (event.key.length > 1 || /[A-Z]/.test(key));
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shifted ? "Shift+" : ""}${key}`;
}

/** Whether a key moves a slider or presses a button that has the focus. */
function steers(target, key) {
  if (target.type === "range" || target.type === "radio") return /^(Arrow|Page|Home|End)/.test(key);
  return (target.tagName === "BUTTON" || target.tagName === "SUMMARY" || target.type === "checkbox") && (key === "Enter" || key === " ");
}

function writes(target) {
  if (target.tagName === "TEXTAREA" || target.tagName === "SELECT") return true;
  return target.tagName === "INPUT" && !["range", "checkbox", "radio"].includes(target.type);
}

function cap(key) {
  const made = document.createElement("kbd");
  made.textContent = { Escape: "Esc", PageDown: "PgDn", PageUp: "PgUp" }[key] || key;
  return made;
}
