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
    let item = this.items.get(info.id);
    if (!item) {
      item = { row: row(info.id, () => this.chosen(info.id)) };
      this.items.set(info.id, item);
      this.root.append(item.row);
      this.seen.observe(item.row);
    }
    item.info = info;
    item.row.className = verdict(info);
    item.row.querySelector(".name").textContent = info.name;
    item.row.querySelector(".state").textContent = state(info);
    item.row.querySelector("button").title = info.name;
    this.sift(item);
    this.count.textContent = this.items.size || "";
  }

  drop(id) {
    this.items.get(id)?.row.remove();
    this.items.delete(id);
    this.count.textContent = this.items.size || "";
  }

  mark(id) {
    this.items.get(this.current)?.row.querySelector("button").removeAttribute("aria-current");
    this.current = id;
    const button = this.items.get(id)?.row.querySelector("button");
    button?.setAttribute("aria-current", "true");
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Number of the case that is ``by`` places away from the current one among those shown; open: only undecided ones. */
  neighbour(by, open = false) {
    const shown = [...this.items.values()].filter(({ row, info }) => !row.hidden && (!open || info.id === this.current || !decided(info)));
    const here = shown.findIndex(({ info }) => info.id === this.current);
    return shown[here + by]?.info.id ?? null;
  }

  sift(only = null) {
    const wanted = this.filter.value.trim().toLowerCase();
    for (const { row, info } of only ? [only] : this.items.values()) {
      row.hidden = Boolean(wanted) && !`${info.name} ${state(info)}`.toLowerCase().includes(wanted);
    }
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
