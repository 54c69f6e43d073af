// The cases on the left: what they are called, how they stand, a small picture.
import * as server from "./server.js";

export class List {
  /** chosen: (id) when a case is picked. */
  constructor(root, filter, count, chosen) {
    Object.assign(this, { root, filter, count, chosen, items: new Map(), current: null });
    this.seen = new IntersectionObserver((entries) => entries.forEach((each) => each.isIntersecting && this.picture(each.target)), { root, rootMargin: "300px" });
    filter.addEventListener("input", () => this.sift());
  }

  /** Show a case, or show it anew. */
  put(info) {
    const known = this.items.get(info.id), item = known || { row: row(info.id, () => this.chosen(info.id)), shown: false };
    item.info = info;
    item.row.className = verdict(info);
    item.row.querySelector(".name").textContent = info.name;
    item.row.querySelector(".state").textContent = state(info);
    item.row.querySelector("button").title = info.name;
    if (!known) {
      this.items.set(info.id, item);
      this.seen.observe(item.row);
    }
    if (known && item.shown !== this.wanted(item)) return this.sift();
    if (!known && this.wanted(item)) {
      item.shown = true;
      this.root.append(item.row);
    }
    this.tell();
  }

  drop(id) {
    this.items.get(id)?.row.remove();
    this.items.delete(id);
    this.tell();
  }

  tell() {
    const all = this.items.size, shown = this.root.children.length;
    this.count.textContent = shown < all ? `${shown} of ${all}` : all || "";
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

  wanted({ info }) {
    return `${info.name} ${state(info)}`.toLowerCase().includes(this.filter.value.trim().toLowerCase());
  }

  /** Show what is wanted. Rows that are not are taken out: thousands that are only hidden take seconds to lay out. */
  sift() {
    for (const item of this.items.values()) item.shown = this.wanted(item);
    this.root.replaceChildren(...[...this.items.values()].filter(({ shown }) => shown).map(({ row }) => row));
    this.tell();
  }

  async picture(row) {
    this.seen.unobserve(row);
    try {
      row.querySelector("img").src = URL.createObjectURL(await server.thumbnail(Number(row.dataset.id)));
    } catch {
      // the list works without it
    }
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
