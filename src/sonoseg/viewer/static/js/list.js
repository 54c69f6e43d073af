// The cases on the left: what they are called, how they stand, a small picture.
import * as server from "./server.js";

const MANY = 25; // rows of a block

/**
 * Rows lie in blocks: what a browser does for every row or block of a list at each change, it does for few, and a block
 * that is out of sight is neither laid out nor asked for its pictures.
 */
export class List {
  /** chosen: (id) when a case is picked. */
  constructor(root, filter, count, chosen) {
    Object.assign(this, { root, filter, count, chosen, items: new Map(), current: null, shown: 0 });
    this.seen = new IntersectionObserver((entries) => entries.forEach(sighted), { root, rootMargin: "300px" });
    filter.addEventListener("input", () => this.sift());
  }

  /** Show a case, or show it anew. */
  put(info) {
    let item = this.items.get(info.id);
    if (!item) {
      item = { row: row(info.id, () => this.chosen(info.id)), block: this.room(), shown: false };
      item.block.items.push(item);
      this.items.set(info.id, item);
    }
    item.info = info;
    item.row.className = verdict(info);
    item.row.querySelector(".name").textContent = info.name;
    item.row.querySelector(".state").textContent = state(info);
    item.row.querySelector("button").title = info.name;
    this.settle(item);
    this.tell();
  }

  /** The last block, or a new one where it is full. */
  room() {
    if (this.last?.items.length < MANY) return this.last;
    const place = document.createElement("ol");
    place.setAttribute("role", "none"); // all blocks together are the list
    place.block = this.last = { place, items: [], near: false };
    this.root.append(place);
    this.seen.observe(place);
    return this.last;
  }

  drop(id) {
    const item = this.items.get(id);
    if (!item) return;
    this.items.delete(id);
    item.block.items.splice(item.block.items.indexOf(item), 1);
    item.row.remove();
    this.shown -= item.shown;
    this.tell();
  }

  tell() {
    const all = this.items.size;
    this.count.textContent = this.shown < all ? `${this.shown} of ${all}` : all || "";
  }

  mark(id) {
    this.items.get(this.current)?.row.querySelector("button").removeAttribute("aria-current");
    this.current = id;
    const button = this.items.get(id)?.row.querySelector("button");
    button?.setAttribute("aria-current", "true");
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Number of the next case that is shown, or the one before with -1, or null; open: of those that nobody decided. */
  neighbour(by, open = false) {
    const all = [...this.items.values()];
    let at = all.findIndex(({ info }) => info.id === this.current) + by;
    while (all[at] && !(all[at].shown && !(open && decided(all[at].info)))) at += by;
    return all[at]?.info.id ?? null;
  }

  /** Put a row where it belongs if it is wanted, or take it out: thousands that are only hidden take seconds to lay out. */
  settle(item) {
    const { info, row, block: { place, items, near } } = item, was = item.shown;
    item.shown = `${info.name} ${state(info)}`.toLowerCase().includes(this.filter.value.trim().toLowerCase());
    if (item.shown === was) return;
    this.shown += item.shown - was;
    if (item.shown) place.insertBefore(row, items.slice(items.indexOf(item) + 1).find(({ shown }) => shown)?.row ?? null);
    else row.remove();
    place.style.setProperty("--rows", place.children.length);
    if (item.shown && near) picture(row);
  }

  sift() {
    for (const item of this.items.values()) this.settle(item);
    this.tell();
  }
}

function sighted({ target: { block }, isIntersecting }) {
  block.near = isIntersecting;
  if (isIntersecting) for (const { row, shown } of block.items) if (shown) picture(row);
}

async function picture(row) {
  if (row.asked) return;
  row.asked = true;
  try {
    row.querySelector("img").src = URL.createObjectURL(await server.thumbnail(Number(row.dataset.id)));
  } catch {
    // the list works without it
  }
}

const decided = (info) => info.accepted + info.rejected >= info.frames;

function verdict(info) {
  return info.accepted === info.frames ? "accepted" : info.rejected === info.frames ? "rejected" : "";
}

function state(info) {
  const many = info.frames > 1 ? `${info.frames} images, ` : "";
  const judged = info.accepted + info.rejected;
  if (judged && info.frames > 1) return `${many}${info.accepted} accepted, ${info.rejected} rejected`;
  if (info.accepted) return info.corrected ? "accepted, corrected" : "accepted";
  if (info.rejected) return "rejected";
  if (info.corrected) return `${many}corrected`;
  if (!info.predicted) return `${many}not looked at`;
  return many + (info.lesions ? "outlined" : "no lesion found");
}

function row(id, open) {
  const item = document.createElement("li"), button = document.createElement("button"), picture = document.createElement("img");
  const text = document.createElement("span"), name = document.createElement("span"), said = document.createElement("span");
  item.dataset.id = id;
  item.setAttribute("role", "listitem");
  button.type = "button";
  picture.alt = "";
  name.className = "name";
  said.className = "state";
  text.append(name, said);
  button.append(picture, text);
  button.addEventListener("click", open);
  item.append(button);
  return item;
}
