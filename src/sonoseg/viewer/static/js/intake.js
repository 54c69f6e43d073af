// Files that are dropped or chosen: sent a few at a time, outlined one after the other in the background.
import * as server from "./server.js";
import { predict } from "./network.js";
import { sentences } from "./said.js";

const AT_ONCE = 3, SHOWN = 100;

export class Intake {
  /** opened: ({id, ...}, first) after each file; outlined: (id) when a case was outlined in the background. */
  constructor(progress, failures, opened, outlined) {
    Object.assign(this, { progress, failures, opened, outlined, waiting: [], running: 0, done: 0, of: 0, first: true });
    this.cases = [];
    this.working = false;
  }

  add(files) {
    if (!this.running) Object.assign(this, { done: 0, of: 0, first: true });
    this.waiting.push(...files);
    this.of += files.length;
    this.show();
    while (this.running < AT_ONCE && this.waiting.length) this.run();
  }

  async run() {
    this.running++;
    while (this.waiting.length) {
      const file = this.waiting.shift();
      try {
        const found = await server.open(file);
        const first = this.first;
        this.first = false;
        await this.opened(found, first);
        if (!first) this.outline(found.id);
      } catch (error) {
        this.fail(file.name, error);
      }
      this.done++;
      this.show();
    }
    this.running--;
    this.show();
  }

  /** Outline a case when nothing else is to be done, so that the list can tell what it holds. */
  async outline(id) {
    this.cases.push(id);
    if (this.working) return;
    this.working = true;
    while (this.cases.length) {
      const next = this.cases.shift();
      try {
        const { width, height } = (await server.details(next)).frames[0];
        await predict({ case: next, frame: 1, width, height });
        await this.outlined(next);
      } catch {
        // it is told when the case is opened
      }
    }
    this.working = false;
  }

  fail(name, error) {
    const item = document.createElement("li"), text = document.createElement("span"), close = document.createElement("button");
    text.textContent = `${name}: ${sentences(error)}`;
    close.type = "button";
    close.textContent = "✕";
    close.setAttribute("aria-label", `Dismiss ${name}`);
    close.addEventListener("click", () => item.remove());
    item.append(text, close);
    this.failures.prepend(item);
    while (this.failures.children.length > SHOWN) this.failures.lastChild.remove();
  }

  show() {
    this.progress.hidden = !this.running && !this.waiting.length;
    this.progress.max = Math.max(1, this.of);
    this.progress.value = this.done;
    this.progress.title = `${this.done} of ${this.of} files`;
  }
}

/** All files of a drop, folders looked into. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) files.push(await new Promise((done, failed) => entry.file(done, failed)));
  else {
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!part.length) return;
      for (const each of part) await walk(each, files);
    }
  }
}
