// What a mask says about its lesions. The same as sonoseg/prediction/lesions.py, step by step; a test compares both.
// Places are [row, column] here, pixel centres at whole numbers; a mask is {width, height, data: Uint8Array of 0 and 1}.
import { STEPS } from "./network.js";

const WAYS = [[-0.5, 0], [0, 0.5], [0.5, 0], [0, -0.5]]; // up, right, down, left: the way out of the lesion

/** Components, pixels touching by side or corner, in the order of their first pixels.
 *  Gives {labels: Int32Array, 0 for background, sizes, boxes: [top, left, bottom, right] each}. */
export function components(mask) {
  const { width, height, data } = mask;
  const labels = new Int32Array(width * height);
  const runs = []; // row, start, end of each
  const roots = [];
  const root = (run) => {
    while (roots[run] !== run) run = roots[run] = roots[roots[run]];
    return run;
  };
  let current = -2, first = 0, candidate = 0, last = 0; // runs of this row begin at first, those of the row above at candidate
  for (let place = data.indexOf(1); place >= 0; place = data.indexOf(1, place)) {
    const row = Math.floor(place / width), start = place - row * width, run = roots.length;
    if (row !== current) {
      candidate = row === current + 1 ? first : run;
      first = last = run;
      current = row;
    }
    const edge = (row + 1) * width;
    while (place < edge && data[place]) place++;
    const end = place - row * width;
    runs.push(row, start, end);
    roots.push(run);
    while (candidate < last && runs[3 * candidate + 2] < start) candidate++;
    for (let other = candidate; other < last && runs[3 * other + 1] <= end; other++) {
      const one = root(run), two = root(other);
      roots[Math.max(one, two)] = Math.min(one, two);
    }
  }
  const numbers = new Map(), sizes = [], boxes = [];
  for (let run = 0; run < roots.length; run++) {
    const top = root(run);
    if (!numbers.has(top)) {
      numbers.set(top, numbers.size);
      sizes.push(0);
      boxes.push([height, width, 0, 0]);
    }
    const number = numbers.get(top), box = boxes[number];
    const row = runs[3 * run], start = runs[3 * run + 1], end = runs[3 * run + 2];
    labels.fill(number + 1, row * width + start, row * width + end);
    sizes[number] += end - start;
    box[0] = Math.min(box[0], row);
    box[1] = Math.min(box[1], start);
    box[2] = Math.max(box[2], row + 1);
    box[3] = Math.max(box[3], end);
  }
  return { labels, sizes, boxes };
}

/** Mask of a probability map (in steps): at or above the threshold, without specks and what is faint; nothing where
 *  presence, in [0, 1] or null where none is told, is too low. Each window of the image is cut by itself. */
export function cut(probability, presence, { width, height, windows }, threshold, rules) {
  const mask = { width, height, data: new Uint8Array(width * height) };
  if (presence !== null && presence < rules.least_presence) return mask;
  if (!windows.length) return cutPart(probability, width, height, threshold, rules);
  for (const [top, left, tall, wide] of windows) {
    const inner = new Uint16Array(tall * wide), row = (n) => (top + n) * width + left;
    for (let n = 0; n < tall; n++) inner.set(probability.subarray(row(n), row(n) + wide), n * wide);
    const { data } = cutPart(inner, wide, tall, threshold, rules);
    for (let n = 0; n < tall; n++) mask.data.set(data.subarray(n * wide, (n + 1) * wide), row(n));
  }
  return mask;
}

function cutPart(probability, width, height, threshold, rules) {
  const data = new Uint8Array(width * height), least = Math.round(threshold * STEPS);
  for (let i = 0; i < data.length; i++) data[i] = probability[i] >= least ? 1 : 0;
  const mask = { width, height, data };
  const smallest = rules.smallest_lesion * data.length;
  const found = components(mask);
  const sums = new Float64Array(found.sizes.length + 1);
  for (let i = 0; i < data.length; i++) sums[found.labels[i]] += probability[i];
  const kept = found.sizes.map((size, n) => size >= smallest && sums[n + 1] / size / STEPS >= rules.least_confidence);
  if (kept.includes(false)) for (let i = 0; i < data.length; i++) if (data[i] && !kept[found.labels[i] - 1]) data[i] = 0;
  return mask;
}

/** What a probability map adds up to, once for all strokes on it. */
export function totals(probability) {
  let all = 0, most = 0;
  for (let i = 0; i < probability.length; i++) {
    all += probability[i];
    if (probability[i] > most) most = probability[i];
  }
  return { all: all / STEPS, most: most / STEPS };
}

/** The Dice that a prediction expects of its own mask; where nothing is drawn, 1 - presence, or 1 - the highest
 *  probability where presence is null. */
export function confidence({ all, most }, presence, lesions) {
  const pixels = lesions.reduce((sum, each) => sum + each.pixels, 0);
  const inside = lesions.reduce((sum, each) => sum + each.confidence * each.pixels, 0);
  return pixels ? (2 * inside) / (all + pixels) : 1 - (presence ?? most);
}

/** Measure each lesion, largest first. spacing: [row, column] in mm, or null for pixels. */
export function measure(mask, probability, spacing) {
  const found = components(mask);
  const order = found.sizes.map((_, n) => n).sort((a, b) => found.sizes[b] - found.sizes[a] || a - b);
  return order.map((index, number) => lesion(number + 1, found, index, mask.width, probability, spacing));
}

function lesion(number, found, index, width, probability, spacing) {
  const [top, left, bottom, right] = found.boxes[index];
  const inner = right - left + 2;
  const part = new Uint8Array((bottom - top + 2) * inner); // a border of background all around
  const sums = { pixels: 0, down: 0, right: 0, tall: 0, wide: 0, mixed: 0 };
  let probable = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const place = row * width + column;
      if (found.labels[place] !== index + 1) continue;
      const y = row - top, x = column - left;
      part[(y + 1) * inner + x + 1] = 1;
      probable += probability ? probability[place] : 0;
      sums.pixels++;
      sums.down += y;
      sums.right += x;
      sums.tall += y * y;
      sums.wide += x * x;
      sums.mixed += y * x;
    }
  }
  const scale = spacing || [1, 1];
  const outlines = trace(part, inner).map((line) => line.map(([row, column]) => [row + top, column + left]));
  const scaled = outlines.map((line) => line.map(([row, column]) => [row * scale[0], column * scale[1]]));
  const round = hull(corners(scaled[0]));
  const [longest, across] = diameters(round);
  const depth = (bottom - top) * scale[0], wide = (right - left) * scale[1];
  const unscaled = (line) => line.map(([row, column]) => [row / scale[0], column / scale[1]]);
  return {
    number,
    label: index + 1,
    unit: spacing ? "mm" : "px",
    pixels: sums.pixels,
    area: sums.pixels * scale[0] * scale[1],
    longest_diameter: distance(...longest),
    perpendicular_diameter: distance(...across),
    depth,
    width: wide,
    depth_to_width: depth / wide,
    bi_rads_orientation: depth / wide > 1 ? "not parallel" : "parallel",
    orientation: orientation(sums, scale),
    circularity: Math.min(1, (4 * Math.PI * area(scaled[0])) / perimeter(scaled[0]) ** 2),
    solidity: Math.min(1, scaled.reduce((sum, line) => sum + area(line), 0) / area(round)),
    confidence: probability ? probable / sums.pixels / STEPS : NaN,
    box: [left, top, right - left, bottom - top],
    centroid: [top + sums.down / sums.pixels, left + sums.right / sums.pixels],
    outlines,
    calipers: [unscaled(longest), unscaled(across)],
  };
}

/** Outlines of one component with a border of background: the outer one clockwise, then its holes. */
function trace(part, stride) {
  const steps = [-stride, 1, stride, -1];
  const seen = new Uint8Array(part.length), lines = [];
  for (let pixel = stride; pixel < part.length; pixel++) {
    if (!part[pixel] || part[pixel - stride] || seen[pixel]) continue; // every outline has an edge that looks up
    const line = [];
    let here = pixel, way = 0;
    do {
      if (way === 0) seen[here] = 1;
      line.push([Math.floor(here / stride) - 1 + WAYS[way][0], (here % stride) - 1 + WAYS[way][1]]);
      const ahead = here + steps[(way + 1) % 4], turned = ahead + steps[way];
      if (part[turned]) {
        here = turned;
        way = (way + 3) % 4;
      } else if (part[ahead]) here = ahead;
      else way = (way + 1) % 4;
    } while (here !== pixel || way !== 0);
    lines.push(line);
  }
  return lines;
}

/** Leave out vertices on a straight line between their neighbours. */
export function corners(line) {
  const count = line.length;
  return line.filter((point, n) => {
    const before = line[(n + count - 1) % count], after = line[(n + 1) % count];
    const one = (point[0] - before[0]) * (after[1] - point[1]), other = (point[1] - before[1]) * (after[0] - point[0]);
    return one !== other;
  });
}

function area(line) {
  let sum = 0;
  for (let n = 0; n < line.length; n++) {
    const next = line[(n + 1) % line.length];
    sum += line[n][1] * next[0] - line[n][0] * next[1];
  }
  return sum / 2;
}

function perimeter(line) {
  const count = line.length;
  const smooth = line.map((point, n) => {
    const before = line[(n + count - 1) % count], after = line[(n + 1) % count];
    return [(before[0] + point[0] + after[0]) / 3, (before[1] + point[1] + after[1]) / 3];
  });
  return smooth.reduce((sum, point, n) => sum + distance(point, smooth[(n + 1) % count]), 0);
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** Convex hull, clockwise, by Andrew's monotone chain over the two ends of each row. */
function hull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const ends = sorted.filter((p, n) => n === 0 || n === sorted.length - 1 || p[0] !== sorted[n - 1][0] || p[0] !== sorted[n + 1][0]);
  const half = (side) => {
    const kept = [];
    for (const point of side) {
      while (kept.length > 1 && turn(kept[kept.length - 2], kept[kept.length - 1], point) >= 0) kept.pop();
      kept.push(point);
    }
    return kept.slice(0, -1);
  };
  return [...half(ends), ...half([...ends].reverse())];
}

function turn(a, b, c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/** Longest diameter of a convex hull, and the longest one perpendicular to it. */
function diameters(round) {
  let best = -1, first = 0, second = 0;
  for (let i = 0; i < round.length; i++) {
    for (let j = i + 1; j < round.length; j++) {
      const square = (round[i][0] - round[j][0]) ** 2 + (round[i][1] - round[j][1]) ** 2;
      if (square > best) [best, first, second] = [square, i, j];
    }
  }
  const start = round[first], end = round[second], length = Math.sqrt(best);
  const axis = [(end[0] - start[0]) / length, (end[1] - start[1]) / length], normal = [-axis[1], axis[0]];
  const along = (side) => side.map((point) => {
    const row = point[0] - start[0], column = point[1] - start[1];
    return [row * axis[0] + column * axis[1], row * normal[0] + column * normal[1]];
  });
  const one = along(round.slice(first, second + 1));
  const other = along([...round.slice(second), ...round.slice(0, first + 1)]).reverse();
  let widest = -1, at = 0, heights = [0, 0];
  for (const [place] of [...one, ...other].sort((a, b) => a[0] - b[0])) {
    const both = [between(one, place), between(other, place)];
    if (Math.abs(both[0] - both[1]) > widest) [widest, at, heights] = [Math.abs(both[0] - both[1]), place, both];
  }
  const across = heights.map((height) => [
    start[0] + at * axis[0] + height * normal[0], start[1] + at * axis[1] + height * normal[1],
  ]);
  return [[start, end], across];
}

/** Linear between points that are sorted by their first number. */
function between(points, place) {
  if (place <= points[0][0]) return points[0][1];
  for (let n = 1; n < points.length; n++) {
    const [from, low] = points[n - 1], [to, high] = points[n];
    if (place < to) return low + ((high - low) / (to - from)) * (place - from);
  }
  return points[points.length - 1][1];
}

/** Of the long axis of the ellipse with the same second moments, in degrees; whole numbers, so that nothing is lost. */
function orientation(sums, [row, column]) {
  const [pixels, down, right, tall, wide, mixed] =
    [sums.pixels, sums.down, sums.right, sums.tall, sums.wide, sums.mixed].map(BigInt);
  const across = Number(pixels * wide - right * right) * column ** 2 - Number(pixels * tall - down * down) * row ** 2;
  return (Math.atan2(2 * Number(pixels * mixed - down * right) * row * column, across) * 180) / Math.PI / 2;
}
