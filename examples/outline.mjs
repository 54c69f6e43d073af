// Outline a scan without sonoseg, in a browser or in Node:
//   sonoseg card default --json > model.json; node outline.mjs model.onnx model.json scan.pgm   (writes scan_mask.pgm)
import * as ort from "onnxruntime-web";

// One pass of Pillow's BILINEAR: rows of `width` values become `to` values long; the result is transposed.
function pass(values, width, height, to) {
  const bytes = values instanceof Uint8Array, out = new values.constructor(to * height);
  const scale = width / to, reach = Math.max(scale, 1);
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * scale, first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(width, Math.trunc(centre + reach + 0.5)), taps = [];
    for (let k = first; k < last; k++) taps.push(Math.max(0, 1 - Math.abs((k - centre + 0.5) * (1 / reach))));
    const total = taps.reduce((sum, tap) => sum + tap, 0);
    const weights = taps.map((tap) => (bytes ? Math.floor(0.5 + (tap / total) * 2 ** 22) : tap / total));
    for (let y = 0; y < height; y++) {
      const sum = weights.reduce((all, weight, k) => all + weight * values[y * width + first + k], 0);
      out[x * height + y] = bytes ? (sum + 2 ** 21) >> 22 : sum;
    }
  }
  return out;
}
const sigmoid = (value) => 1 / (1 + Math.exp(-value));
const resize = (values, width, height, columns, rows) => pass(pass(values, width, height, columns), height, columns, rows);

// grey: Uint8Array of height * width, row by row. told: the sidecar. Gives a mask, 0 and 1, of the same form.
export async function outline(session, told, grey, width, height) {
  const { size } = told, longest = Math.max(width, height);
  const [columns, rows] = [width, height].map((side) => Math.max(1, Math.floor((2 * side * size + longest) / (2 * longest))));
  const top = (size - rows) >> 1, left = (size - columns) >> 1, small = resize(grey, width, height, columns, rows);
  const place = (i) => (top + Math.floor(i / columns)) * size + left + (i % columns);
  const run = async (mirrored) => {
    const turned = (at) => (mirrored ? at - (at % size) + size - 1 - (at % size) : at), frame = new Float32Array(size * size);
    small.forEach((value, i) => { frame[turned(place(i))] = value / 255; });
    const { logits, presence } = await session.run({ image: new ort.Tensor("float32", frame, [1, 1, size, size]) });
    return [Float32Array.from(small, (_, i) => sigmoid(logits.data[turned(place(i))])), presence ? sigmoid(presence.data[0]) : 1];
  };
  let [inner, present] = await run(false);
  if (told.mirrored) {
    const [other, also] = await run(true);
    [inner, present] = [inner.map((value, i) => (value + other[i]) / 2), (present + also) / 2];
  }
  const probability = resize(inner, columns, rows, width, height), drawn = present >= (told.least_presence ?? 0);

  const left_over = Uint8Array.from(probability, (value) => drawn && value >= told.threshold), mask = left_over.slice();
  for (let start = 0; start < mask.length; start++) {
    if (!left_over[start]) continue;
    const component = [start];
    left_over[start] = 0;
    for (const at of component)  // it grows while it is walked through
      for (const [i, j] of [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]]) {
        const row = Math.floor(at / width) + i, column = (at % width) + j, next = row * width + column;
        if (row < 0 || row >= height || column < 0 || column >= width || !left_over[next]) continue;
        left_over[next] = 0;
        component.push(next);
      }
    const mean = component.reduce((sum, at) => sum + probability[at], 0) / component.length;
    if (component.length < told.smallest_lesion * mask.length || mean < told.least_confidence) for (const at of component) mask[at] = 0;
  }
  return mask;
}

if (typeof process !== "undefined" && process.argv.length > 4) {
  const { readFileSync, writeFileSync } = await import("node:fs"), [model, sidecar, ...scans] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(readFileSync(model)), told = JSON.parse(readFileSync(sidecar, "utf8"));
  for (const scan of scans) {
    const file = readFileSync(scan), [head, width, height] = file.toString("latin1").match(/^P5\s+(\d+)\s+(\d+)\s+255\s/);
    const mask = await outline(session, told, new Uint8Array(file.subarray(head.length)), +width, +height);
    const grey = Buffer.from(mask.map((value) => value * 255));
    writeFileSync(scan.replace(/\.pgm$/, "_mask.pgm"), Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), grey]));
  }
}
