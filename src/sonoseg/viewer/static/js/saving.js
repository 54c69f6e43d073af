// Sends what a reader does, one thing after the other and in its order, and says whether it is on the disk.

const AGAIN = 3000; // ms until what found no answer is sent again

export class Saver {
  constructor() {
    Object.assign(this, { waiting: [], sending: false, failed: null });
    this.told = () => {}; // (state, error), state "saving", "saved" or "failed"
    this.saved = () => {}; // (place) after each
    this.stale = () => {}; // (place, error) where somebody else changed it meanwhile
  }

  /** kind: of what is kept, "mask" or "decision". post: (leaving) => promise of an answer. */
  save(kind, place, post) {
    this.waiting.push({ kind, place, post });
    this.send();
  }

  async send() {
    if (this.sending) return;
    clearTimeout(this.later);
    this.sending = true;
    this.failed = null;
    while (this.waiting.length) {
      this.told("saving");
      const { place, post } = this.waiting[0];
      try {
        await post(false);
      } catch (error) {
        if (error.status === 409) {
          this.waiting = this.waiting.filter((each) => each.place.case !== place.case || each.place.frame !== place.frame);
          this.stale(place, error); // not waited for: it may wait until all is saved
          continue;
        }
        if (error.status === 404) this.waiting.shift(); // its case is gone; what comes after it is not to wait for it
        this.failed = error;
        this.told("failed", error);
        break;
      }
      this.waiting.shift();
      this.saved(place);
    }
    this.sending = false;
    if (!this.failed) this.told("saved");
    else if (this.stuck && (!this.failed.status || this.failed.status >= 500)) this.later = setTimeout(() => this.send(), AGAIN);
  }

  /** Whether something was refused, and waits to be sent again. */
  get stuck() {
    return Boolean(this.failed && this.waiting.length);
  }

  /** Wait until all is saved. Errors: what the service refused. */
  async settled() {
    if (this.waiting.length) this.send();
    while (this.sending) await new Promise((done) => setTimeout(done, 20));
    if (this.failed) throw this.failed;
  }

  /** The page goes away, and with it perhaps what is on its way: send the last of each kind; twice does no harm. */
  leave() {
    const last = new Map(this.waiting.map(({ kind, place, post }) => [`${kind} ${place.case}/${place.frame}`, post]));
    for (const post of last.values()) post(true).catch(() => {});
  }
}
