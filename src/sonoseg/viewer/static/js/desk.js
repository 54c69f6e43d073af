// What is worked on, and every way to change it: strokes, whole-mask changes, undo and redo. Tools see this alone.
import * as masks from "./masks.js";
import { STEPS } from "./network.js";
import { Points } from "./points.js";
import { $, banner, reader, remember, remembered, say } from "./said.js";
import { Saver } from "./saving.js";
import * as server from "./server.js";
import { Brush, Hand, Outline, Ruler } from "./tools.js";
import { View } from "./view.js";

export const desk = {
  view: new View($("canvas")),
  work: null, // the frame on the stage, see work.js
  tool: null,
  size: Number(remembered("size", 12)),
  shown: () => {}, // called when what is measured changed
  say,

  /** A tool changed the mask within an area. began: when its event did, for what it costs. */
  touched(area, began = performance.now()) {
    if (!area) return;
    desk.work.dirty = true;
    desk.costs = (desk.costs || 0) + performance.now() - began;
    desk.view.draw();
  },

  /** A stroke is finished: keep it for undo, save it. */
  changed(before, area, action) {
    if (desk.work.history.add(desk.work.mask, before, area, action)) settle(action);
  },

  lesionAt({ x, y }) {
    const spot = [Math.round(x), Math.round(y)], { mask, lesions } = desk.work;
    if (!mask) return null;
    const label = masks.labelAt(mask, ...spot);
    return lesions.find((each) => each.label === label) || null;
  },

  choose(number) {
    if (!desk.work?.mask) return;
    desk.work.chosen = number;
    desk.shown();
  },

  resize(by) {
    desk.size = Math.min(100, Math.max(1, desk.size + by));
    $("size").value = $("size-out").textContent = desk.size;
    remember("size", desk.size);
    desk.view.draw();
  },

  windowed(dx, dy) {
    const { window, level } = desk.view.looks;
    look({ window: Math.min(255, Math.max(1, window + dx)), level: Math.min(255, Math.max(0, level + dy)) });
  },

  /** Tell what lies under the pointer. */
  pointed(place) {
    const { image, probability } = desk.work || {}, x = Math.round(place?.x), y = Math.round(place?.y);
    const inside = place && image && x >= 0 && y >= 0 && x < image.width && y < image.height;
    const at = inside ? y * image.width + x : 0, p = probability ? `   p ${(probability[at] / STEPS).toFixed(2)}` : "";
    $("place").textContent = inside ? `${x}, ${y}   grey ${image.grey[at]}${p}` : "";
  },

  /** The ruler measured so many pixels; null takes the question away. */
  ruled(pixels) {
    $("ruler").hidden = pixels === null;
    desk.ruledPixels = pixels;
    if (pixels !== null) $("ruler-mm").focus();
  },
};

export const TOOLS = [
  { id: "move", key: "V", title: "Move", tool: new Hand(desk), icon: "M9 11V5a1.5 1.5 0 0 1 3 0v5V4a1.5 1.5 0 0 1 3 0v6V6a1.5 1.5 0 0 1 3 0v8c0 4-2 7-6 7-3 0-4-1-6-4l-3-5c-1-2 1-3 2-2l2 2z" },
  { id: "brush", key: "B", title: "Brush", tool: new Brush(desk, 1), icon: "M20 4c-5 2-9 6-11 9l2 2c4-2 8-6 9-11zM8 14c-3 0-3 3-5 5 3 1 7 0 7-3z" },
  { id: "eraser", key: "E", title: "Eraser", tool: new Brush(desk, 0), icon: "M14 4l6 6-9 9H7l-4-4zM9 9l6 6" },
  {
    id: "outline", key: "O", title: "Outline", tool: new Outline(desk), icon: "M5 14c0-6 6-9 11-8s5 8 0 11-11 2-11-3z",
    hint: "Draw around a lesion, or press corner by corner and end on the first one. The right button, or Alt, cuts out.",
  },
  {
    id: "points", key: "P", title: "Points", tool: new Points(desk),
    icon: "M6 18L5 8l9-4 6 8-5 7zM4 7h3v3H4zM12.5 3h3v3h-3zM18.5 11h3v3h-3zM13.5 17.5h3v3h-3zM4.5 16.5h3v3h-3z",
    hint: "Pull a point; press on the line to add one; press twice to take one away.",
  },
  {
    id: "ruler", key: "M", title: "Ruler", tool: new Ruler(desk), icon: "M3 15l12-12 6 6L9 21zM7 11l2 2M10 8l3 3M13 5l2 2",
    hint: "Draw along something of known length, such as the scale at the side.",
  },
];

export const saver = new Saver();

/** Take a tool in hand. */
export function take(id) {
  giveUp();
  const wanted = TOOLS.find((each) => each.id === id);
  desk.tool = wanted.tool;
  for (const each of TOOLS) {
    $(`tool-${each.id}`).setAttribute("aria-checked", each === wanted);
    $(`tool-${each.id}`).tabIndex = each === wanted ? 0 : -1;
  }
  $("canvas").style.cursor = id === "move" ? "grab" : "none";
  $("brush-size").classList.toggle("off", !desk.tool.wheelSizes);
  $("size").disabled = !desk.tool.wheelSizes;
  banner(wanted.hint);
  desk.view.draw();
}

export const swap = () => take(desk.tool === TOOLS[1].tool ? "eraser" : "brush");

/** Give up what a tool has begun; whether there was anything. */
export function giveUp() {
  desk.pointer?.lift();
  const begun = Boolean(desk.tool?.cancel());
  if (begun) desk.view.draw();
  return begun;
}

/** A change stands: measure and save it. */
function settle(action) {
  const { work } = desk, { place } = work;
  work.stamp++;
  work.drawn++;
  work.measure();
  desk.view.draw();
  const form = { reader: reader(), action, mask: masks.encode(work.mask) };
  const made = { number: place.frame, reader: form.reader, at: new Date().toISOString(), action };
  const known = work.details.corrections;
  known.push(made);
  saver.save("mask", place, async (leaving) => {
    const last = known.findLast((each) => each.number === place.frame && each.id)?.id ?? 0;
    const after = leaving ? null : last; // the strokes before this one may be on their way
    made.id = (await server.saveMask(place, { ...form, after }, leaving)).id;
  });
  desk.shown();
}

/** Change the whole mask by a function of it, as one stroke. */
function apply(action, change) {
  if (!desk.work?.mask) return;
  giveUp();
  const before = desk.work.mask.data.slice();
  desk.changed(before, change(desk.work.mask), action);
}

export const smooth = () => apply("smooth", (mask) => masks.smooth(mask));
export const fill = () => apply("fill", (mask) => masks.fillHoles(mask));
export const remove = (lesion) => lesion && apply("delete lesion", (mask) => masks.remove(mask, lesion));
export const removeChosen = () => remove(desk.work?.lesions.find((each) => each.number === desk.work.chosen));

/** Take the last corner of an outline back, or a point away. */
export const back = () => desk.work?.mask && Boolean(desk.tool.back?.(desk.pointer.cursor));

/** Take the last stroke back; in the middle of one, that one alone; of an outline its last corner. */
export function undo() {
  if (!desk.work?.mask || (desk.tool.active && desk.tool.back?.(null)) || giveUp()) return;
  if (desk.work.history.undo(desk.work.mask)) settle("undo");
}

export function redo() {
  if (desk.work?.mask && desk.work.history.redo(desk.work.mask)) settle("redo");
}

/** Draw at another threshold at once; it counts as a stroke when the slider is let go. */
export function moveThreshold(threshold) {
  const { work } = desk;
  if (!work?.mask) return;
  work.beforeThreshold ??= work.mask.data.slice();
  work.threshold = threshold;
  work.mask.data.set(work.cut().data);
  desk.touched([0, 0, work.mask.width, work.mask.height]);
}

export function keepThreshold() {
  const { work } = desk, before = work?.beforeThreshold;
  if (!before) return;
  work.beforeThreshold = null;
  desk.changed(before, [0, 0, work.mask.width, work.mask.height], "threshold");
}

/** Change how the picture is shown; nothing is saved but the opacity. */
export function look(changes) {
  desk.view.look(changes);
  const { opacity, window, level, heat, calipers } = desk.view.looks;
  const told = { opacity: `${Math.round(opacity * 100)} %`, window: Math.round(window), level: Math.round(level) };
  for (const [id, value] of Object.entries({ opacity, window, level })) {
    $(id).value = value;
    $(`${id}-out`).textContent = told[id];
  }
  $("heat").checked = heat;
  $("scale").hidden = !heat || !desk.work;
  $("calipers").checked = calipers;
  remember("opacity", opacity);
}

export const flip = (name) => look({ [name]: !desk.view.looks[name] });
export const resetWindow = () => look({ window: 255, level: 128 });

desk.view.prepare = () => {
  if (!desk.work?.dirty || !desk.work.mask) return;
  desk.began = performance.now();
  desk.work.dirty = false;
  desk.work.measure();
  desk.shown();
};

desk.view.painted = () => {
  if (!desk.began) return;
  performance.measure("stroke", { start: desk.began - (desk.costs || 0), end: performance.now() });
  desk.began = desk.costs = 0;
};

desk.view.marks = (pen, view) => {
  $("zoom").textContent = view.fitted ? "fit" : `${Math.round(view.scale * 100)} %`;
  if (desk.work?.mask) desk.tool.marks(pen, view, desk.pointer.cursor, desk.pointer.byKeys);
};
