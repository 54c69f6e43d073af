// Points on the outline of a lesion: pull one, and the outline between its neighbours comes along; the rest stays as it is.
import * as masks from "./masks.js";
import { drawCross, polyline } from "./marks.js";

const NEAR = 10; // screen pixels within which a point, or the line, is meant
const FEWEST = 3;

/** line: the exact outline, [x, y] each. at: numbers of those of them that can be pulled, in their order. */
export class Points {
  constructor(desk) {
    Object.assign(this, { desk, active: false, line: [], at: [], key: "", places: null });
  }

  /** Take the outline of the chosen lesion, where it is not at hand; the points stay where they were pulled. */
  current() {
    const { lesions, chosen, stamp, key } = this.desk.work, lesion = lesions.find((each) => each.number === chosen) || lesions[0];
    const now = `${key} ${stamp} ${lesion ? lesion.number : 0}`;
    if (this.active || now === this.key) return;
    this.key = now;
    this.line = lesion ? lesion.outlines[0].map(([row, column]) => [column, row]) : [];
    if (!lesion) this.at = [];
    else if (this.places) this.at = [...new Set(this.places.map((place) => this.nearest(place)))].sort((a, b) => a - b);
    else this.at = masks.fewPoints(this.line, Math.max(1, Math.hypot(lesion.box[2], lesion.box[3]) / 100));
    this.places = null;
  }

  /** Number of the place on the line that is nearest to a point. */
  nearest(point) {
    return this.line.reduce((best, each, n) => (masks.gap(each, point) < masks.gap(this.line[best], point) ? n : best), 0);
  }

  down(place, other = false) {
    this.current();
    if (!this.line.length) return;
    const point = [place.x, place.y], far = (n) => masks.gap(this.line[n], point), onLine = this.nearest(point);
    let held = this.at.filter((n) => this.near(n, place)).sort((a, b) => far(a) - far(b))[0];
    if (held === undefined && !this.near(onLine, place)) return this.pick(place);
    if (held === undefined) {
      held = onLine;
      this.at = [...this.at, held].sort((a, b) => a - b);
    }
    const where = this.at.indexOf(held), count = this.at.length, { mask } = this.desk.work;
    const [from, to] = [this.at[(where + count - 1) % count], this.at[(where + 1) % count]];
    Object.assign(this, { active: true, held, from, to, grip: place, first: this.line, before: mask.data.slice(), old: this.filled() });
    if (other) this.away();
  }

  pick(place) {
    const lesion = this.desk.lesionAt(place);
    if (lesion) this.desk.choose(lesion.number);
  }

  move(place) {
    if (!this.active) return;
    this.line = masks.pulled(this.first, this.from, this.held, this.to, place.x - this.grip.x, place.y - this.grip.y);
    this.redraw();
  }

  /** Take the held point away: the outline goes straight from one of its neighbours to the other. */
  away() {
    if (this.at.length > FEWEST) {
      this.at = this.at.filter((n) => n !== this.held);
      const { line, from, to } = this, count = line.length, wide = (to - from + count) % count || count;
      this.line = line.map((point, n) => {
        const share = ((n - from + count) % count) / wide;
        return share < 1 ? line[from].map((value, axis) => value + share * (line[to][axis] - value)) : point;
      });
      this.redraw();
    }
    this.up();
  }

  /** Take the point at a place away. */
  twice(place) {
    this.current();
    if (!this.active && this.at.some((n) => this.near(n, place))) this.down(place, true);
  }

  /** The same by a key, at the cursor; never anything to undo a corner of. */
  back(place) {
    if (place) this.twice(place);
    return false;
  }

  near(n, { x, y }) {
    return masks.gap(this.line[n], [x, y]) * this.desk.view.scale < NEAR;
  }

  filled() {
    const { width, height } = this.desk.work.mask, area = masks.empty(width, height);
    masks.fillOutline(area, this.line, 1);
    return area.data;
  }

  /** Change what lies between the outline as it was and as it is, and nothing else: holes stay, and other lesions. */
  redraw() {
    const { mask } = this.desk.work, began = performance.now(), now = this.filled();
    for (let n = 0; n < now.length; n++) mask.data[n] = now[n] === this.old[n] ? this.before[n] : now[n];
    this.desk.touched([0, 0, mask.width, mask.height], began);
  }

  up() {
    if (!this.active) return;
    this.active = false;
    this.places = this.at.map((n) => this.line[n]);
    const { work } = this.desk, { stamp } = work;
    this.desk.changed(this.before, [0, 0, work.mask.width, work.mask.height], "points");
    if (stamp === work.stamp) this.places = null;
  }

  cancel() {
    if (!this.active) return false;
    Object.assign(this, { active: false, line: this.first });
    this.desk.work.mask.data.set(this.before);
    this.desk.touched([0, 0, this.desk.work.mask.width, this.desk.work.mask.height]);
    return true;
  }

  marks(pen, view, cursor) {
    this.current();
    if (this.active) polyline(pen, view, this.line, "#ffffff", true);
    for (const n of this.at) {
      const [x, y] = this.line[n], near = cursor && this.near(n, cursor), held = this.active && n === this.held;
      pen.beginPath();
      pen.arc(x + 0.5, y + 0.5, (near || held ? 6 : 4.5) / view.scale, 0, 7);
      pen.fillStyle = near || held ? "#ffd600" : "#ffffff";
      pen.strokeStyle = "#000c";
      pen.lineWidth = 1.6 / view.scale;
      pen.fill();
      pen.stroke();
    }
    if (cursor) drawCross(pen, view, cursor);
  }
}
