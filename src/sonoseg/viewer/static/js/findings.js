// What was found, in numbers, on the right.

const ROWS = [
  ["Area", (l) => `${number(l.area, l.unit)} ${l.unit}²`],
  ["Depth × width", (l) => `${number(l.depth, l.unit)} × ${number(l.width, l.unit)} ${l.unit}`],
  ["Depth / width", (l) => l.depth_to_width.toFixed(2)],
  ["Orientation", (l) => l.bi_rads_orientation],
  ["Circularity", (l) => l.circularity.toFixed(2)],
  ["Confidence", (l) => l.confidence.toFixed(2)],
];

/** A length or an area; there are no parts of a pixel. */
function number(value, unit) {
  const digits = unit === "mm" ? 1 : 0;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** One sentence for the head, one for what follows. presence: null where none is told. */
export function sentences(lesions, confidence, presence, spacing) {
  const there = presence === null ? "" : `, presence ${presence.toFixed(2)}`;
  if (!lesions.length) return ["No lesion found", `Confidence ${confidence.toFixed(2)}${there}. To add one, draw around it with Outline.`];
  const head = lesions.length === 1 ? "1 lesion" : `${lesions.length} lesions`;
  const told = `Confidence of the outline ${confidence.toFixed(2)}${there}.`;
  return [head, spacing ? told : `${told} In pixels: the pixel size is not known.`];
}

/** Fill the list; choose, remove: called with a lesion. */
export function list(root, lesions, chosen, choose, remove) {
  if (root.children.length !== lesions.length) root.replaceChildren(...lesions.map((_, n) => card(n, choose, remove)));
  lesions.forEach((lesion, n) => {
    const item = root.children[n];
    item.lesion = lesion;
    item.classList.toggle("chosen", lesion.number === chosen);
    item.querySelector(".pick").setAttribute("aria-pressed", lesion.number === chosen);
    item.querySelector(".size-of").textContent = `${lesion.longest_diameter.toFixed(1)} × ${lesion.perpendicular_diameter.toFixed(1)} ${lesion.unit}`;
    item.querySelectorAll("dd").forEach((cell, row) => (cell.textContent = ROWS[row][1](lesion)));
  });
}

function card(n, choose, remove) {
  const item = document.createElement("li"), head = document.createElement("h3"), table = document.createElement("dl");
  item.className = "lesion";
  const pick = button(`${n + 1}`, `Choose lesion ${n + 1}`, () => choose(item.lesion));
  pick.className = "pick";
  const size = document.createElement("span");
  size.className = "size-of";
  const away = button("✕", `Delete lesion ${n + 1}`, () => remove(item.lesion));
  away.className = "away";
  head.append(pick, size, away);
  for (const [title] of ROWS) {
    const pair = document.createElement("div"), term = document.createElement("dt");
    term.textContent = title;
    pair.append(term, document.createElement("dd"));
    table.append(pair);
  }
  item.append(head, table);
  return item;
}

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}
