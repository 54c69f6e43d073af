// The picture: the scan under window and level, the mask, outlines and calipers, moved and zoomed. It knows no tools.
import { cross, placed, plate, plateSize } from "./marks.js";
import { corners } from "./measures.js";
import { STEPS } from "./network.js";

const OUTLINE = "0, 214, 255", CALIPER = "#ffd600", CHOSEN = "#ffffff";
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // dark to light for every eye
const FAINT = 0.4; // probability below which its colour lets the scan through
const SHARP = 5; // screen pixels per image pixel from which pixels are shown as squares
const MANY = 5; // lesions above which the chosen one alone tells its size

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.looks = { opacity: 0.8, window: 255, level: 128, heat: false, calipers: true, hidden: false };
    this.scale = 1;
    this.left = this.top = 0;
    this.fitted = true;
    this.image = null;
    this.lesions = [];
    this.paths = [];
    this.chosen = 0;
    this.stale = { base: true, heat: true };
    this.marks = () => {}; // draws what a tool shows: (pen, view)
    this.prepare = this.painted = () => {}; // called before and after a frame is painted
    this.layers = { base: surface(), heat: surface() };
    this.ground = surface(); // the picture as large as it is on the screen, so that a stroke redraws none of it
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** image: {width, height, grey: Uint8Array}, or null for none. */
  show(image) {
    const moved = !this.image || !image || this.image.width !== image.width || this.image.height !== image.height;
    this.image = image;
    this.stale = { base: true, heat: true };
    if (!image) return this.draw();
    for (const layer of Object.values(this.layers)) sized(layer, image.width, image.height);
    this.grounded = null;
    if (moved) this.fit();
    this.draw();
  }

  /** What was measured, to be drawn as outlines and calipers. */
  measured(lesions) {
    this.lesions = lesions;
    this.paths = lesions.map((lesion) => {
      const path = new Path2D();
      for (const line of lesion.outlines) {
        corners(line).forEach(([row, column], n) => (n ? path.lineTo(column + 0.5, row + 0.5) : path.moveTo(column + 0.5, row + 0.5)));
        path.closePath();
      }
      return path;
    });
    this.draw();
  }

  look(changes) {
    Object.assign(this.looks, changes);
    if ("window" in changes || "level" in changes) this.stale.base = true;
    this.draw();
  }

  probable(steps) {
    this.probability = steps;
    this.grounded = null;
    this.stale.heat = true;
    this.draw();
  }

  resize() {
    const sharp = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * sharp);
    this.canvas.height = Math.round(this.canvas.clientHeight * sharp);
    if (this.fitted) this.fit();
    this.paint();
  }

  fit() {
    this.fitted = true;
    if (!this.image) return;
    const { clientWidth, clientHeight } = this.canvas;
    this.scale = Math.max(0.05, Math.min((clientWidth - 24) / this.image.width, (clientHeight - 24) / this.image.height));
    this.left = (clientWidth - this.image.width * this.scale) / 2;
    this.top = (clientHeight - this.image.height * this.scale) / 2;
    this.draw();
  }

  /** Zoom around a place of the canvas; its middle if left out. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(40, Math.max(0.05, this.scale * factor)), share = scale / this.scale;
    this.left = x - (x - this.left) * share;
    this.top = y - (y - this.top) * share;
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  move(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
    this.draw();
  }

  /** Place of the image, pixel centres at whole numbers, under a place of the page. */
  at(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (clientX - box.left - this.left) / this.scale - 0.5, y: (clientY - box.top - this.top) / this.scale - 0.5 };
  }

  /** Place of the canvas of a place of the image. */
  onCanvas({ x, y }) {
    return { x: (x + 0.5) * this.scale + this.left, y: (y + 0.5) * this.scale + this.top };
  }

  /** Move as little as needed to show a place of the image. */
  reveal(place) {
    const { x, y } = this.onCanvas(place), { clientWidth, clientHeight } = this.canvas, edge = 24;
    const dx = x < edge ? edge - x : x > clientWidth - edge ? clientWidth - edge - x : 0;
    const dy = y < edge ? edge - y : y > clientHeight - edge ? clientHeight - edge - y : 0;
    if (dx || dy) this.move(dx, dy);
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.waiting = -1; // what is prepared is painted now, not in another frame
    this.prepare();
    this.waiting = null;
    this.compose();
    this.painted();
  }

  compose() {
    const { pen, canvas, looks, image } = this, sharp = canvas.width / Math.max(1, canvas.clientWidth);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!image) return;
    this.refresh();
    const place = [this.scale * sharp, 0, 0, this.scale * sharp, this.left * sharp, this.top * sharp];
    this.lay(place);
    pen.drawImage(this.ground.canvas, 0, 0);
    pen.setTransform(...place);
    if (!looks.hidden) {
      this.drawLesions(pen);
      this.onScreen(pen, () => this.drawNumbers(pen));
    }
    this.marks(pen, this);
  }

  /** Draw in pixels of the screen. */
  onScreen(pen, draw) {
    const sharp = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    pen.save();
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    draw();
    pen.restore();
  }

  /** Lay picture and heat as they are to be seen, where anything of them changed. */
  lay(place) {
    const { canvas, ground, looks, layers } = this, heat = looks.heat && this.probability;
    const key = [...place, canvas.width, canvas.height, looks.window, looks.level, heat ? looks.opacity : -1].join();
    if (key === this.grounded) return;
    this.grounded = key;
    sized(ground, canvas.width, canvas.height);
    ground.pen.setTransform(...place);
    ground.pen.imageSmoothingEnabled = this.scale < SHARP;
    ground.pen.imageSmoothingQuality = "high";
    ground.pen.drawImage(layers.base.canvas, 0, 0);
    if (!heat) return;
    ground.pen.globalAlpha = Math.max(0.15, looks.opacity);
    ground.pen.drawImage(layers.heat.canvas, 0, 0);
    ground.pen.globalAlpha = 1;
  }

  drawLesions(pen) {
    const { looks, scale } = this;
    this.paths.forEach((path, n) => {
      pen.fillStyle = `rgba(${OUTLINE}, ${looks.opacity * 0.24})`;
      if (!looks.heat) pen.fill(path, "evenodd");
      pen.lineJoin = "round";
      pen.strokeStyle = `rgba(0, 0, 0, ${looks.opacity * 0.55})`;
      pen.lineWidth = 3.6 / scale;
      pen.stroke(path);
      pen.strokeStyle = `rgba(${OUTLINE}, ${looks.opacity})`;
      pen.lineWidth = (this.lesions[n].number === this.chosen ? 2.6 : 1.7) / scale;
      pen.stroke(path);
    });
    if (looks.calipers) for (const lesion of this.lesions) this.drawCalipers(pen, lesion);
  }

  drawCalipers(pen, lesion) {
    const arm = 5 / this.scale;
    pen.globalAlpha = Math.max(0.25, this.looks.opacity);
    pen.strokeStyle = pen.fillStyle = CALIPER;
    for (const caliper of lesion.calipers) {
      const ends = caliper.map(([row, column]) => [column + 0.5, row + 0.5]);
      pen.lineWidth = 1.6 / this.scale;
      for (const [x, y] of ends) cross(pen, x, y, arm);
      pen.setLineDash([1.5 / this.scale, 4 / this.scale]);
      pen.beginPath();
      pen.moveTo(...ends[0]);
      pen.lineTo(...ends[1]);
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.globalAlpha = 1;
  }

  /** Number and size of each lesion, where they cover no other one. */
  drawNumbers(pen) {
    const { scale, left, top, canvas, lesions } = this, room = [canvas.clientWidth, canvas.clientHeight];
    const boxes = lesions.map(({ box: [x, y, wide, high] }) => [x * scale + left, y * scale + top, wide * scale, high * scale]);
    const taken = [...boxes];
    lesions.forEach((lesion, n) => {
      const chosen = lesion.number === this.chosen, told = this.looks.calipers && (chosen || lesions.length <= MANY);
      const size = `${lesion.longest_diameter.toFixed(1)} × ${lesion.perpendicular_diameter.toFixed(1)} ${lesion.unit}`;
      const text = told ? `${lesion.number}  ${size}` : `${lesion.number}`;
      const place = placed(plateSize(pen, text), boxes[n], room, taken);
      taken.push(place);
      plate(pen, text, place[0], place[1], chosen ? CHOSEN : CALIPER);
    });
  }

  refresh() {
    const { image, looks, layers, stale } = this;
    if (stale.base) {
      const low = looks.level - looks.window / 2, table = new Uint8ClampedArray(256);
      for (let grey = 0; grey < 256; grey++) table[grey] = looks.window >= 255 && looks.level === 128 ? grey : ((grey - low) * 255) / looks.window;
      const pixels = new ImageData(image.width, image.height), words = new Uint32Array(pixels.data.buffer);
      for (let i = 0; i < words.length; i++) words[i] = 0xff000000 | (table[image.grey[i]] * 0x010101);
      layers.base.pen.putImageData(pixels, 0, 0);
      stale.base = false;
    }
    if (stale.heat && looks.heat && this.probability) {
      const colours = heatColours(), pixels = new ImageData(image.width, image.height), words = new Uint32Array(pixels.data.buffer);
      for (let i = 0; i < words.length; i++) words[i] = colours[Math.round((this.probability[i] * 255) / STEPS)];
      layers.heat.pen.putImageData(pixels, 0, 0);
      stale.heat = false;
    }
  }
}

function surface() {
  const canvas = document.createElement("canvas");
  return { canvas, pen: canvas.getContext("2d") };
}

function sized(layer, width, height) {
  layer.canvas.width = width;
  layer.canvas.height = height;
}

function heatColours() {
  const colours = new Uint32Array(256), steps = HEAT.length - 1;
  for (let n = 0; n < 256; n++) {
    const place = (n / 255) * steps, low = Math.min(steps - 1, Math.floor(place)), share = place - low;
    const [red, green, blue] = HEAT[low].map((from, channel) => Math.round(from + share * (HEAT[low + 1][channel] - from)));
    const solid = Math.round(255 * 0.85 * Math.min(1, n / 255 / FAINT));
    colours[n] = ((solid << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return colours;
}
