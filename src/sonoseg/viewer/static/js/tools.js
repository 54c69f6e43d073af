// What the pointer, or the cursor that the arrow keys move, does to the picture. A tool has down, move, up and cancel,
// each told a place of the image {x, y}, and draws its marks. ``desk`` is what they work on, see main.js.
import * as masks from "./masks.js";
import { components, corners } from "./measures.js";
import { cross } from "./view.js";

const NEAR = 10; // screen pixels within which a point is meant

/** Paints with value 1, or wipes with 0. */
export class Brush {
  constructor(desk, value) {
    Object.assign(this, { desk, value, active: false, wheelSizes: true });
  }

  down(place, other = false) {
    const { mask } = this.desk.work;
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

/** Draws an outline around a new lesion, in one go or corner by corner; with Shift or the right button it cuts out. */
export class Outline {
  constructor(desk) {
    Object.assign(this, { desk, points: [], active: false, pressed: false });
  }

  down(place, other = false) {
    this.pressed = true;
    this.began = this.points.length;
    if (!this.points.length) this.value = other ? 0 : 1;
    const { scale } = this.desk.view;
    const first = this.points[0];
    if (this.points.length > 2 && Math.hypot(first[0] - place.x, first[1] - place.y) * scale < NEAR) return this.finish();
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
    if (this.active && this.points.length - this.began > 8) this.finish(); // drawn in one go
  }

  finish() {
    const { mask } = this.desk.work, before = mask.data.slice();
    const area = masks.fillOutline(mask, this.points, this.value);
    Object.assign(this, { points: [], active: false, pressed: false });
    this.desk.touched(area);
    this.desk.changed(before, area, this.value ? "outline" : "cut out");
  }

  cancel() {
    if (!this.active) return false;
    Object.assign(this, { points: [], active: false, pressed: false });
    this.desk.view.draw();
    return true;
  }

  marks(pen, view, cursor) {
    const line = cursor && !this.pressed ? [...this.points, [cursor.x, cursor.y]] : this.points;
    if (cursor) drawCross(pen, view, cursor);
    if (line.length < 2) return;
    polyline(pen, view, line, "#ffffff", false);
  }
}

/** Moves the points of an outline: drag one, press on a line to add one, with Alt or the right button take one away. */
export class Points {
  constructor(desk) {
    Object.assign(this, { desk, active: false, points: [], key: null });
  }

  /** The points of the chosen lesion, made anew when it changed otherwise. */
  current() {
    const { lesions, chosen, stamp } = this.desk.work;
    const lesion = lesions.find((each) => each.number === chosen) || lesions[0];
    const key = `${this.desk.work.key} ${stamp} ${lesion ? lesion.number : 0}`;
    if (!this.active && key !== this.key) {
      this.lesion = lesion;
      this.points = lesion ? masks.simplify(corners(lesion.outlines[0]).map(([row, column]) => [column, row]), 0.9) : [];
      this.key = key;
    }
    return this.points;
  }

  down(place, other = false) {
    const points = this.current(), reach = NEAR / this.desk.view.scale;
    if (!points.length) return;
    let at = points.findIndex(([x, y]) => Math.hypot(x - place.x, y - place.y) < reach);
    const { mask } = this.desk.work;
    this.before = mask.data.slice();
    this.labels = components(mask).labels;
    this.original = masks.empty(mask.width, mask.height);
    masks.fillOutline(this.original, points, 1);
    if (other && at >= 0 && points.length > 3) {
      this.active = true;
      this.points = points.filter((_, n) => n !== at);
      this.redraw();
      return this.up();
    }
    if (at < 0) {
      at = points.findIndex((point, n) => masks.offLine([place.x, place.y], point, points[(n + 1) % points.length]) < reach);
      if (at < 0) return this.pick(place);
      at += 1;
      this.points = [...points.slice(0, at), [place.x, place.y], ...points.slice(at)];
    }
    Object.assign(this, { active: true, at });
  }

  pick(place) {
    const lesion = this.desk.lesionAt(place);
    if (lesion) this.desk.choose(lesion.number);
  }

  move(place) {
    if (!this.active) return;
    this.points = this.points.map((point, n) => (n === this.at ? [place.x, place.y] : point));
    this.redraw();
  }

  redraw() {
    const { mask } = this.desk.work, box = this.lesion.box;
    mask.data.set(this.before);
    for (let y = box[1]; y < box[1] + box[3]; y++) {
      for (let x = box[0]; x < box[0] + box[2]; x++) {
        const place = y * mask.width + x;
        if (this.original.data[place] || this.outer(x, y)) mask.data[place] = 0;
      }
    }
    masks.fillOutline(mask, this.points, 1);
    this.desk.touched([0, 0, mask.width, mask.height]);
  }

  /** Whether a pixel belonged to the lesion and not to its simplified outline. */
  outer(x, y) {
    return this.labels[y * this.desk.work.mask.width + x] === this.lesion.label;
  }

  up() {
    if (!this.active) return;
    this.active = false;
    const { mask } = this.desk.work, kept = this.points;
    this.desk.changed(this.before, [0, 0, mask.width, mask.height], "points");
    const { stamp, chosen, lesions, key } = this.desk.work;
    const lesion = lesions.find((each) => each.number === chosen) || lesions[0];
    Object.assign(this, { points: kept, lesion, key: `${key} ${stamp} ${lesion ? lesion.number : 0}` });
  }

  cancel() {
    if (!this.active) return false;
    this.active = false;
    this.key = null;
    const { mask } = this.desk.work;
    mask.data.set(this.before);
    this.desk.touched([0, 0, mask.width, mask.height]);
    return true;
  }

  marks(pen, view, cursor) {
    const points = this.current();
    if (points.length > 1) polyline(pen, view, points, "#ffffff80", true);
    for (const [x, y] of points) {
      const near = cursor && Math.hypot(x - cursor.x, y - cursor.y) * view.scale < NEAR, half = (near ? 5.5 : 4) / view.scale;
      pen.fillStyle = "#000b";
      pen.fillRect(x + 0.5 - half * 1.35, y + 0.5 - half * 1.35, half * 2.7, half * 2.7);
      pen.fillStyle = near ? "#ffd600" : "#ffffff";
      pen.fillRect(x + 0.5 - half, y + 0.5 - half, half * 2, half * 2);
    }
    if (cursor) drawCross(pen, view, cursor);
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
    pen.font = `600 ${14 / view.scale}px system-ui, sans-serif`;
    pen.lineWidth = 3 / view.scale;
    pen.strokeStyle = "#000c";
    pen.fillStyle = "#ffb454";
    pen.strokeText(long, (a.x + b.x) / 2 + 8 / view.scale, (a.y + b.y) / 2);
    pen.fillText(long, (a.x + b.x) / 2 + 8 / view.scale, (a.y + b.y) / 2);
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

function drawCross(pen, view, { x, y }) {
  for (const [colour, width] of [["#000b", 3], ["#ffffff", 1.2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width / view.scale;
    cross(pen, x + 0.5, y + 0.5, 8 / view.scale);
  }
}

function polyline(pen, view, points, colour, closed) {
  for (const [stroke, width] of [["#000a", 3.4], [colour, 1.6]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width / view.scale;
    pen.beginPath();
    points.forEach(([x, y], n) => (n ? pen.lineTo(x + 0.5, y + 0.5) : pen.moveTo(x + 0.5, y + 0.5)));
    if (closed) pen.closePath();
    pen.stroke();
  }
}
