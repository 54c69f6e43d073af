// Sends every stroke as it is finished, one after the other, and says whether it is on the disk.
import * as server from "./server.js";

export class Saver {
  constructor() {
    Object.assign(this, { waiting: [], sending: false, failed: null });
    this.told = () => {}; // (state, error), state "saving", "saved" or "failed"
    this.saved = () => {}; // (place) after each
  }

  save(place, form) {
    this.waiting.push({ place, form });
    this.send();
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    this.failed = null;
    while (this.waiting.length) {
      this.told("saving");
      const { place, form } = this.waiting[0];
      try {
        await server.saveMask(place, form);
      } catch (error) {
        this.failed = error;
        this.told("failed", error);
        break;
      }
      this.waiting.shift();
      this.saved(place);
    }
    this.sending = false;
    if (!this.failed) this.told("saved");
  }

  /** Wait until all is saved. Errors: what the service refused. */
  async settled() {
    if (this.waiting.length) this.send();
    while (this.sending) await new Promise((done) => setTimeout(done, 20));
    if (this.failed) throw this.failed;
  }

  /** The page goes away: send what waits without waiting for answers. */
  leave() {
    for (const { place, form } of this.waiting) server.saveMask(place, form, true).catch(() => {});
  }
}
