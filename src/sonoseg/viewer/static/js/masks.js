// A mask and what is done to it: {width, height, data: Uint8Array of 0 and 1}. Places are x, y: pixel centres at whole
// numbers. Every change gives the rectangle that it may have changed, [left, top, right, bottom], or null for none.
import { components } from "./measures.js";

export const empty = (width, height) => ({ width, height, data: new Uint8Array(width * height) });
export const copy = (mask) => ({ ...mask, data: mask.data.slice() });

/** Run lengths down the columns, outside first, as COCO writes them. */
export function encode({ width, height, data }) {
  const counts = [];
  let value = 0, length = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (data[y * width + x] === value) length++;
      else {
        counts.push(length);
        value = 1 - value;
        length = 1;
      }
    }
  }
  counts.push(length);
  return { size: [height, width], counts };
}

export function decode({ size: [height, width], counts }) {
  const mask = empty(width, height);
  let place = 0;
  counts.forEach((length, n) => {
    if (n % 2) for (let i = place; i < place + length; i++) mask.data[(i % height) * width + Math.floor(i / height)] = 1;
    place += length;
  });
  return mask;
}

/** Set all pixels within ``radius`` of the line from (x0, y0) to (x1, y1). */
export function stroke(mask, x0, y0, x1, y1, radius, value) {
  const area = clipped(mask, Math.min(x0, x1) - radius, Math.min(y0, y1) - radius, Math.max(x0, x1) + radius, Math.max(y0, y1) + radius);
  if (!area) return null;
  const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy, reach = radius * radius;
  for (let y = area[1]; y < area[3]; y++) {
    for (let x = area[0]; x < area[2]; x++) {
      const share = length ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
      const far = (x - x0 - share * dx) ** 2 + (y - y0 - share * dy) ** 2;
      if (far <= reach) mask.data[y * mask.width + x] = value;
    }
  }
  return area;
}

/** Set the pixels inside a closed outline of [x, y]: those with an odd number of crossings on their left. */
export function fillOutline(mask, points, value) {
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const area = clipped(mask, Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  if (!area || points.length < 3) return null;
  for (let y = area[1]; y < area[3]; y++) {
    const crossings = [];
    points.forEach(([x0, y0], n) => {
      const [x1, y1] = points[(n + 1) % points.length];
      if (y >= Math.min(y0, y1) && y < Math.max(y0, y1)) crossings.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0));
    });
    crossings.sort((a, b) => a - b);
    for (let n = 0; n + 1 < crossings.length; n += 2) {
      const from = Math.max(area[0], Math.ceil(crossings[n])), to = Math.min(area[2], Math.ceil(crossings[n + 1]));
      if (to > from) mask.data.fill(value, y * mask.width + from, y * mask.width + to);
    }
  }
  return area;
}

/** Fill what cannot be reached from the border by sides. */
export function fillHoles(mask) {
  const { width, height, data } = mask;
  const reached = new Uint8Array(data.length), waiting = [];
  const visit = (place) => {
    if (!data[place] && !reached[place]) {
      reached[place] = 1;
      waiting.push(place);
    }
  };
  for (let x = 0; x < width; x++) visit(x), visit((height - 1) * width + x);
  for (let y = 0; y < height; y++) visit(y * width), visit(y * width + width - 1);
  while (waiting.length) {
    const place = waiting.pop(), x = place % width;
    if (x > 0) visit(place - 1);
    if (x < width - 1) visit(place + 1);
    if (place >= width) visit(place - width);
    if (place < data.length - width) visit(place + width);
  }
  let changed = false;
  for (let i = 0; i < data.length; i++) {
    if (!data[i] && !reached[i]) {
      data[i] = 1;
      changed = true;
    }
  }
  return changed ? [0, 0, width, height] : null;
}

/** Round off: a pixel is set where most of the square of ``2 reach + 1`` pixels around it is. */
export function smooth(mask, reach = 2) {
  const { width, height, data } = mask;
  const sums = new Int32Array((width + 1) * (height + 1)); // of all pixels above and to the left
  for (let y = 0; y < height; y++) {
    for (let x = 0, row = 0; x < width; x++) {
      row += data[y * width + x];
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
    }
  }
  for (let y = 0; y < height; y++) {
    const top = Math.max(0, y - reach) * (width + 1), bottom = Math.min(height, y + reach + 1) * (width + 1);
    for (let x = 0; x < width; x++) {
      const left = Math.max(0, x - reach), right = Math.min(width, x + reach + 1);
      const inside = sums[bottom + right] - sums[bottom + left] - sums[top + right] + sums[top + left];
      const square = ((bottom - top) / (width + 1)) * (right - left);
      data[y * width + x] = 2 * inside > square ? 1 : 0;
    }
  }
  return [0, 0, width, height];
}

/** Take away the lesion that ``measure`` gave, or the one at (x, y). */
export function remove(mask, lesion) {
  const { labels } = components(mask);
  for (let i = 0; i < labels.length; i++) if (labels[i] === lesion.label) mask.data[i] = 0;
  const [left, top, width, height] = lesion.box;
  return [left, top, left + width, top + height];
}

/** Label, as ``measure`` gives it, of the lesion at a place; 0 outside of all. */
export function labelAt(mask, x, y) {
  const inside = x >= 0 && y >= 0 && x < mask.width && y < mask.height;
  return inside && mask.data[y * mask.width + x] ? components(mask).labels[y * mask.width + x] : 0;
}

export function union(one, other) {
  if (!one || !other) return one || other;
  return [Math.min(one[0], other[0]), Math.min(one[1], other[1]), Math.max(one[2], other[2]), Math.max(one[3], other[3])];
}

/** Numbers of few points of a closed outline of [x, y], from whose polygon none is farther than ``tolerance``
 *  (Ramer, Douglas and Peucker). */
export function fewPoints(line, tolerance) {
  const far = line.reduce((best, point, n) => (gap(point, line[0]) > gap(line[best], line[0]) ? n : best), 0);
  const between = (from, to) => {
    let most = tolerance, at = 0;
    for (let n = from + 1; n < to; n++) {
      const away = offLine(line[n], line[from], line[to % line.length]);
      if (away > most) [most, at] = [away, n];
    }
    return at ? [...between(from, at), ...between(at, to)] : [from];
  };
  return far ? [...between(0, far), ...between(far, line.length)] : [];
}

/** Pull point ``held`` of a closed outline by (dx, dy), and what lies between the points ``from`` and ``to`` less and less. */
export function pulled(line, from, held, to, dx, dy) {
  const count = line.length, before = (held - from + count) % count || count, after = (to - held + count) % count || count;
  return line.map(([x, y], n) => {
    const ahead = (held - n + count) % count, behind = (n - held + count) % count;
    const share = n === held ? 1 : ahead < before ? 1 - ahead / before : behind < after ? 1 - behind / after : 0;
    return share ? [x + share * dx, y + share * dy] : [x, y];
  });
}

function offLine(point, from, to) {
  const dx = to[0] - from[0], dy = to[1] - from[1], length = dx * dx + dy * dy;
  const share = length ? Math.min(1, Math.max(0, ((point[0] - from[0]) * dx + (point[1] - from[1]) * dy) / length)) : 0;
  return Math.hypot(point[0] - from[0] - share * dx, point[1] - from[1] - share * dy);
}

export const gap = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

function clipped(mask, left, top, right, bottom) {
  const area = [
    Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top)),
    Math.min(mask.width, Math.ceil(right) + 1), Math.min(mask.height, Math.ceil(bottom) + 1),
  ];
  return area[0] < area[2] && area[1] < area[3] ? area : null;
}
