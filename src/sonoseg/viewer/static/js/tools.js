// What the pointer, or the cursor that the arrow keys move, does to the picture. A tool has down, move, up and cancel,
// each told a place of the image {x, y}, and draws its marks. ``desk`` is what they work on, see main.js.
import * as masks from "./masks.js";
import { cross, drawCross, plate, polyline } from "./marks.js";

const NEAR = 10; // screen pixels within which a point is meant

/** Paints with value 1, or wipes with 0. */
export class Brush {
  constructor(desk, value) {
    Object.assign(this, { desk, value, active: false, wheelSizes: true });
  }

  down(place, other = false) {
    const { mask } = this.desk.work;
    if (!mask) return; // it is not outlined yet
    Object.assign(this, { active: true, before: mask.data.slice(), area: null, last: place, now: other ? 1 - this.value : this.value });
    this.move(place);
  }

  move(place) {
    if (!this.active) return;
    const { mask } = this.desk.work, began = performance.now();
    const area = masks.stroke(mask, this.last.x, this.last.y, place.x, place.y, this.desk.size / 2, this.now);
    this.area = masks.union(this.area, area);
    this.last = place;
    this.desk.touched(area, began);
  }

  up() {
    if (!this.active) return;
    this.active = false;
    this.desk.changed(this.before, this.area, this.now ? "brush" : "eraser");
  }

  /** Give the stroke up as if it had not been begun. */
  cancel() {
    if (!this.active) return false;
    this.active = false;
    this.desk.work.mask.data.set(this.before);
    this.desk.touched(this.area);
    return true;
  }

  marks(pen, view, cursor) {
    if (!cursor) return;
    const radius = Math.max(0.5, this.desk.size / 2), wipes = (this.active ? this.now : this.value) === 0;
    for (const [colour, width, dash] of [["#000b", 3, []], [wipes ? "#ff8a80" : "#ffffff", 1.4, wipes ? [5, 4] : []]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width / view.scale;
      pen.setLineDash(dash.map((length) => length / view.scale));
      pen.beginPath();
      pen.arc(cursor.x + 0.5, cursor.y + 0.5, radius, 0, 7);
      pen.stroke();
    }
    pen.setLineDash([]);
    cross(pen, cursor.x + 0.5, cursor.y + 0.5, 3 / view.scale);
  }
}

/** Draws an outline around a new lesion, in one go or corner by corner; with Alt or the right button it cuts out. */
export class Outline {
  constructor(desk) {
    Object.assign(this, { desk, points: [], starts: [], active: false, pressed: false });
  }

  down(place, other = false) {
    if (!this.desk.work.mask) return; // it is not outlined yet
    this.pressed = true;
    if (!this.points.length) this.value = other ? 0 : 1;
    const { scale } = this.desk.view;
    const first = this.points[0];
    if (this.points.length > 2 && Math.hypot(first[0] - place.x, first[1] - place.y) * scale < NEAR) return this.finish();
    this.starts.push(this.points.length);
    this.points.push([place.x, place.y]);
    this.active = true;
    this.desk.view.draw();
  }

  move(place) {
    if (!this.pressed || !this.active) return;
    const last = this.points[this.points.length - 1];
    if (Math.hypot(last[0] - place.x, last[1] - place.y) >= 0.7) this.points.push([place.x, place.y]);
    this.desk.view.draw();
  }

  up() {
    this.pressed = false;
    if (this.active && this.points.length - this.starts[this.starts.length - 1] > 8) this.finish(); // drawn in one go
  }

  finish() {
    const { mask } = this.desk.work, before = mask.data.slice();
    const area = masks.fillOutline(mask, this.points, this.value);
    this.clear();
    this.desk.touched(area);
    this.desk.changed(before, area, this.value ? "outline" : "cut out");
  }

  cancel() {
    if (!this.active) return false;
    this.clear();
    return true;
  }

  clear() {
    Object.assign(this, { points: [], starts: [], active: false, pressed: false });
    this.desk.view.draw();
  }

  /** Take the last corner back; whether there was one. */
  back() {
    if (!this.active) return false;
    this.points.length = this.starts.pop();
    if (!this.points.length) this.clear();
    this.desk.view.draw();
    return true;
  }

  marks(pen, view, cursor) {
    const line = cursor && !this.pressed ? [...this.points, [cursor.x, cursor.y]] : this.points;
    if (cursor) drawCross(pen, view, cursor);
    if (line.length < 2) return;
    polyline(pen, view, line, this.value ? "#ffffff" : "#ff8a80", false);
    pen.beginPath();
    pen.arc(line[0][0] + 0.5, line[0][1] + 0.5, 5 / view.scale, 0, 7);
    pen.fillStyle = "#ffd600";
    pen.fill();
  }
}

/** Measures a line; the page then asks how long it is. */
export class Ruler {
  constructor(desk) {
    Object.assign(this, { desk, active: false, ends: null });
  }

  down(place) {
    Object.assign(this, { active: true, ends: [place, place] });
    this.desk.ruled(null);
  }

  move(place) {
    if (!this.active) return;
    this.ends = [this.ends[0], place];
    this.desk.view.draw();
  }

  up(place) {
    if (!this.active) return;
    this.move(place);
    this.active = false;
    if (this.pixels() >= 3) this.desk.ruled(this.pixels());
  }

  pixels() {
    const [a, b] = this.ends;
    return Math.hypot(a.x - b.x, a.y - b.y);
  }

  cancel() {
    if (!this.ends) return false;
    Object.assign(this, { active: false, ends: null });
    this.desk.ruled(null);
    this.desk.view.draw();
    return true;
  }

  marks(pen, view, cursor) {
    if (cursor) drawCross(pen, view, cursor);
    if (!this.ends) return;
    const [a, b] = this.ends, spacing = this.desk.work.spacing;
    polyline(pen, view, [[a.x, a.y], [b.x, b.y]], "#ffb454", false);
    const long = spacing ? `${Math.hypot((a.y - b.y) * spacing[0], (a.x - b.x) * spacing[1]).toFixed(1)} mm` : `${this.pixels().toFixed(1)} px`;
    const middle = view.onCanvas({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    view.onScreen(pen, () => plate(pen, long, middle.x + 8, middle.y + 8, "#ffb454"));
  }
}

/** Moves the picture and chooses lesions. */
export class Hand {
  constructor(desk) {
    Object.assign(this, { desk, active: false, pans: true });
  }

  down(place) {
    const lesion = this.desk.lesionAt(place);
    this.desk.choose(lesion ? lesion.number : 0);
  }

  move() {}
  up() {}
  cancel() {
    return false;
  }

  marks(pen, view, cursor, keyboard) {
    if (keyboard && cursor) drawCross(pen, view, cursor);
  }
}
