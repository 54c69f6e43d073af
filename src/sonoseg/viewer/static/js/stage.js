// Which case and frame is on the stage, and what is said about it on the right.
import { desk, giveUp, remove, saver } from "./desk.js";
import * as findings from "./findings.js";
import { List } from "./list.js";
import { $, forgive, reader, remember, saving, say, trouble } from "./said.js";
import * as server from "./server.js";
import { Work } from "./work.js";

const KEPT = 40e6; // pixels of the frames that are held with their undo
const PAUSE = 80; // ms that the frame slider rests before another frame is asked for
const PARTS = ["judge", "looks", "pixel", "forget"], ACTIONS = ["undo", "redo", "smooth", "fill", "delete"], VERDICTS = ["accept", "reject", "next"];

const works = new Map(), cases = new Map();
let model = null, opening = null, since = null, resting = null;

export const list = new List($("cases"), $("filter"), $("count"), (id) => openCase(id));

saver.told = (state, error) => saving(state, error, () => saver.send());
saver.saved = (place) => refresh(place.case);
saver.stale = renew;
desk.shown = show;

/** Ask another model from now on. */
export function use(chosen) {
  model = chosen;
  if (desk.work) toFrame(0);
}

/** Files came at this moment; the first outline is timed from it. */
export function came(at) {
  since ??= at;
}

export async function openCase(id) {
  if (!id || !model) return;
  list.mark(id);
  remember("case", id);
  forgive();
  try {
    if (!cases.has(id)) cases.set(id, await server.details(id));
    if (list.current === id) await openFrame(cases.get(id), cases.get(id).frames[0].number);
  } catch (error) {
    trouble(error);
  }
}

/** Bring a frame on the stage. Errors: what the service refused. */
export async function openFrame(details, number) {
  giveUp();
  const mine = (opening = Symbol());
  const key = keyOf(details, number), held = works.get(key);
  if (held && held.drawn === held.strokes) {
    hold(key, held);
    $("busy").hidden = true;
    return arrive(held);
  }
  const late = setTimeout(() => opening === mine && ($("busy").hidden = false), 150);
  try {
    const unsaved = details.corrections.some((each) => each.number === number && !each.id);
    if (unsaved) await saver.settled().catch(() => {}); // the mask is asked for; what failed was told
    const work = await Work.load(details, number, model, (seen) => opening === mine && stage(seen));
    hold(key, work);
    if (opening === mine) arrive(work);
    refresh(details.id);
  } finally {
    clearTimeout(late);
    if (opening === mine) $("busy").hidden = true;
  }
}

/** Somebody else changed a frame: let go of what was drawn on it, and show what stands. */
async function renew({ case: id, frame }, error) {
  const details = cases.get(id), { work } = desk, shown = work?.place.case === id && work.place.frame === frame;
  for (const key of [...works.keys()]) if (key.startsWith(`${id}/${frame}/`)) works.delete(key);
  if (shown) {
    giveUp();
    Object.assign(work, { mask: null, beforeThreshold: null });
    desk.view.measured([]);
    unmeasured();
  }
  trouble(error);
  try {
    const fresh = await server.details(id);
    for (const kind of ["corrections", "decisions"]) {
      const others = details[kind].filter((each) => each.number !== frame);
      details[kind].splice(0, Infinity, ...others, ...fresh[kind].filter((each) => each.number === frame));
    }
    if (shown && desk.work === work) await openFrame(details, frame);
  } catch (failed) {
    trouble(failed);
  }
}

const keyOf = (details, number) => `${details.id}/${number}/${model.name}`;

/** Hold a frame, and let go of those that were not looked at for longest. */
function hold(key, work) {
  works.delete(key);
  works.set(key, work);
  let pixels = 0;
  for (const each of works.values()) pixels += each.frame.width * each.frame.height;
  for (const [oldest, { frame }] of works) {
    if (pixels <= KEPT || oldest === key) return;
    pixels -= frame.width * frame.height;
    works.delete(oldest);
  }
}

/** Show the picture, before its outline is known. */
function stage(work) {
  if (work !== desk.work) {
    comment(); // a file that is dropped takes no focus away, and the box belongs to another frame now
    desk.work = work;
    $("comment").value = said(work)?.comment || "";
  }
  desk.view.probability = null;
  desk.view.measured([]);
  desk.view.show(work.image);
  for (const part of PARTS) $(part).hidden = false;
  $("welcome").hidden = true;
  $("export").disabled = false;
  if (!work.mask) unmeasured();
  showFrames(work);
  showSpacing(work);
  showReview();
}

/** Say nothing about what is not outlined yet. */
function unmeasured() {
  $("headline").textContent = "Findings";
  $("lesions").replaceChildren();
  $("caution").hidden = true;
  $("threshold-out").textContent = "";
  for (const action of [...ACTIONS, ...VERDICTS]) $(action).disabled = true;
  say("");
}

function arrive(work) {
  stage(work);
  desk.view.probable(work.probability);
  $("threshold").value = work.threshold;
  show();
  if (since !== null) {
    const start = since;
    since = null;
    requestAnimationFrame(() => performance.measure("first outline", { start, end: performance.now() }));
  }
}

/** Say what is measured. */
function show() {
  const { work, view } = desk;
  if (!work?.mask) return;
  view.chosen = work.chosen;
  view.measured(work.lesions);
  const [head, told] = findings.sentences(work.lesions, work.confidence, work.presence, work.spacing);
  $("headline").textContent = head;
  say(told);
  findings.list($("lesions"), work.lesions, work.chosen, (lesion) => desk.choose(lesion.number), remove);
  for (const action of ["smooth", "fill", "delete"]) $(action).disabled = !work.lesions.length;
  for (const verdict of VERDICTS) $(verdict).disabled = false;
  $("caution").hidden = !work.lesions.length;
  $("undo").disabled = !work.history.done.length;
  $("redo").disabled = !work.history.undone.length;
  $("threshold-out").textContent = work.threshold.toFixed(2);
  showSpacing(work);
  if (work.told !== work.details.corrections.length) showHistory(work);
}

// Review

const judgements = ({ details, place }) => details.decisions.filter((each) => each.number === place.frame);

/** The last word on what is seen; one on the outline of another model, which nobody corrected, is none on this one. */
function said(work) {
  const last = judgements(work).pop(), other = last?.checksum && last.checksum !== work.model.checksum;
  return other && !work.strokes ? null : last;
}

function showReview() {
  const last = said(desk.work);
  $("accept").setAttribute("aria-pressed", last?.decision === "accepted");
  $("reject").setAttribute("aria-pressed", last?.decision === "rejected");
  showHistory(desk.work);
}

function showHistory(work) {
  work.told = work.details.corrections.length;
  const strokes = work.details.corrections.filter((each) => each.number === work.place.frame);
  const rows = [
    ...strokes.map((each) => [each.at, each.reader, each.action]),
    ...judgements(work).map((each) => [each.at, each.reader, each.comment ? `${each.decision}: ${each.comment}` : each.decision]),
  ].sort((a, b) => (a[0] < b[0] ? 1 : -1));
  $("history").hidden = !rows.length;
  const lines = rows.slice(0, 200).map(([at, who, what]) => `${new Date(at).toLocaleString()}  ${who}: ${what}`);
  $("history").querySelector("ol").replaceChildren(...lines.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
}

function decide(decision) {
  const { details, place, model } = desk.work, form = { reader: reader(), decision, comment: $("comment").value };
  details.decisions.push({ number: place.frame, at: new Date().toISOString(), checksum: model.checksum, ...form });
  saver.save("decision", place, (leaving) => server.decide(place, model.name, form, leaving));
  showReview();
}

const verdict = () => said(desk.work)?.decision || "open";

/** Accept or reject; the same again takes it back. */
export const judge = (decision) => desk.work?.mask && decide(verdict() === decision ? "open" : decision);

/** Keep what stands in the box, where it is new. */
export function comment() {
  const { work } = desk;
  if (work && cases.has(work.place.case) && $("comment").value !== (said(work)?.comment || "")) decide(verdict());
}

export function acceptAndGoOn() {
  if (!desk.work?.mask) return;
  decide("accepted");
  const { details, place } = desk.work;
  if (details.frames.some((each) => each.number === place.frame + 1)) return toFrame(1);
  openCase(list.neighbour(1, true));
}

// Pixel size and frames

function showSpacing({ spacing, details }) {
  const [row, column] = (spacing || []).map((size) => `${size.toPrecision(3)} mm`);
  const sizes = row === column ? row : `${row} down, ${column} across`;
  $("spacing").textContent = spacing ? `${sizes}, ${details.spacing ? "as measured" : "as the file says"}` : "Not known: sizes are in pixels.";
  $("forget-spacing").hidden = !details.spacing;
}

/** Keep the size of a pixel, (row, column) in mm; null takes the file's again. */
export async function setSpacing(spacing) {
  const { work } = desk;
  try {
    await server.setSpacing(work.place.case, spacing);
    work.details.spacing = spacing;
    for (const each of works.values()) if (each.details === work.details) each.measure();
    show();
  } catch (error) {
    trouble(error);
  }
}

function showFrames({ details, place, frame }) {
  $("frames").hidden = details.frames.length < 2;
  $("play").hidden = frame.seconds === null;
  $("frame").max = details.frames.length;
  $("frame").value = place.frame;
  const at = frame.seconds === null ? "" : `, ${frame.seconds.toFixed(2)} s`;
  $("frame-out").textContent = `${place.frame} of ${details.frames.length}${at}`;
}

/** The frame slider moves: frames that are held are shown at once, others where it rests. */
export function scrub(number) {
  const { work } = desk;
  clearTimeout(resting);
  if (!work) return;
  if (works.has(keyOf(work.details, number))) return toFrame(number - work.place.frame);
  $("frame-out").textContent = `${number} of ${work.details.frames.length}`;
  resting = setTimeout(() => desk.work?.details === work.details && toFrame(number - desk.work.place.frame), PAUSE);
}

/** Go so many frames on; nowhere where there is none. */
export function toFrame(by) {
  const { work } = desk, number = work && work.place.frame + by;
  if (work?.details.frames.some((each) => each.number === number)) openFrame(work.details, number).catch(trouble);
}

// The list

/** Take the state of a case from the service. */
export async function refresh(id) {
  try {
    const [info] = await (await server.ask("GET", `/api/cases?after=${id - 1}&limit=1`)).json();
    if (info?.id === id) list.put(info);
    if (list.current === id) list.mark(id);
  } catch {
    // the list shows what it last knew
  }
}

export async function forget() {
  const { work } = desk;
  if (!work || !confirm(`Remove ${work.details.name} and all that was done to it?`)) return;
  const { case: id } = work.place;
  try {
    await server.forget(id);
  } catch (error) {
    return trouble(error);
  }
  const next = list.neighbour(1) || list.neighbour(-1);
  list.drop(id);
  cases.delete(id);
  for (const key of [...works.keys()]) if (key.startsWith(`${id}/`)) works.delete(key);
  if (next) openCase(next);
  else clear();
}

function clear() {
  desk.work = null;
  desk.view.show(null);
  for (const part of [...PARTS, "frames"]) $(part).hidden = true;
  unmeasured();
  $("welcome").hidden = false;
  $("export").disabled = true;
}
