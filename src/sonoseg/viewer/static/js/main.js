// The page: which button, key and slider does what, and how it begins.
import { button, radios } from "./buttons.js";
import { TOOLS, back, desk, fill, flip, giveUp, keepThreshold, look, moveThreshold, redo, removeChosen, resetWindow, saver, smooth, swap, take, undo } from "./desk.js";
import { exporting, token } from "./dialogs.js";
import { Intake, dropped } from "./intake.js";
import { Keys } from "./keys.js";
import { play, stop } from "./player.js";
import { Pointer } from "./pointer.js";
import { $, forgive, remember, remembered, trouble } from "./said.js";
import * as server from "./server.js";
import { acceptAndGoOn, came, comment, forget, judge, list, openCase, refresh, scrub, setSpacing, toFrame, use } from "./stage.js";

const intake = new Intake($("progress"), $("failures"), arrived, refresh);
const openExport = exporting(() => desk.work, () => saver.settled());
const chooseFiles = () => $("files").click();
const openKeys = () => $("keys").showModal();
const finish = () => desk.tool.finish && desk.tool.active && desk.tool.finish();
const step = (by) => (stop(), toFrame(by));
const theme = (name) => remember("theme", (document.documentElement.dataset.theme = name));

const ACTIONS = [
  ["undo", "Z", "Undo", "Undo", "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6", undo],
  ["redo", "Shift+Z", "Redo", "Redo", "M15 7l5 5-5 5M20 12H10a6 6 0 0 0-6 6", redo],
  ["smooth", "S", "Smooth", "Smooth", "M3 15c3-9 6-9 9-3s6 6 9-3", smooth],
  ["fill", "F", "Fill holes", "Fill", "M12 3a9 9 0 1 0 .01 0zM12 9a3 3 0 1 0 .01 0zM12 8v8M8 12h8", fill],
  ["delete", "Delete", "Delete the chosen lesion", "Delete", "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10 11v6M14 11v6", removeChosen],
];

const ROWS = [
  ...TOOLS.map(({ id, key, title }) => ["Tools", [key], title, () => take(id)]),
  ["Tools", ["X"], "Swap brush and eraser", swap],
  ["Tools", ["[", "]"], "Smaller, larger brush", (key) => desk.resize(key === "[" ? -2 : 2)],
  ["Tools", ["Enter"], "Close the outline", finish],
  ["Tools", ["Backspace"], "Take a corner or a point away", back],
  ["Tools", ["Escape"], "Give up what was begun", giveUp],
  ["Correct", ["Z", "Ctrl+Z"], "Undo, also in mid-stroke", undo],
  ["Correct", ["Shift+Z", "Ctrl+Y", "Ctrl+Shift+Z"], "Redo", redo],
  ["Correct", ["S"], "Smooth", smooth],
  ["Correct", ["F"], "Fill holes", fill],
  ["Correct", ["Delete"], "Delete the chosen lesion", removeChosen],
  ["Correct", ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "Choose a lesion", (key) => desk.choose(Number(key))],
  ["View", ["+", "="], "Zoom in", () => desk.view.zoom(1.25)],
  ["View", ["-"], "Zoom out", () => desk.view.zoom(0.8)],
  ["View", ["0"], "Fit the picture", () => desk.view.fit()],
  ["View", ["H"], "Probability", () => flip("heat")],
  ["View", ["C"], "Calipers", () => flip("calipers")],
  ["View", ["L"], "Hide or show all that is drawn", () => flip("hidden")],
  ["View", ["W"], "Reset window and level", resetWindow],
  ["Review", ["A"], "Accept", () => judge("accepted")],
  ["Review", ["Shift+A"], "Accept, next", acceptAndGoOn],
  ["Review", ["R"], "Reject", () => judge("rejected")],
  ["Review", ["T"], "Write a comment", () => $("comment").focus()],
  ["Cases", ["I"], "Add files", chooseFiles],
  ["Cases", ["PageUp", "PageDown"], "Previous, next case", (key) => openCase(list.neighbour(key === "PageUp" ? -1 : 1))],
  ["Cases", [",", "."], "Previous, next frame", (key) => step(key === "," ? -1 : 1)],
  ["Cases", ["K"], "Play a clip, or stop", play],
  ["Cases", ["D"], "Export", () => desk.work && openExport()],
  ["Cases", ["?"], "This list", openKeys],
];

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** Arrow keys and space draw where the picture has the focus. */
function steered(event) {
  const arrow = ARROWS[event.key];
  if (event.ctrlKey || event.metaKey || (!arrow && event.key !== " ")) return;
  event.preventDefault();
  stop();
  if (arrow) desk.pointer.step(...arrow, event.shiftKey ? "far" : event.altKey ? "near" : "plain");
  else if (!event.repeat) desk.pointer.press();
}

function add(files) {
  if (!files.length) return;
  came(performance.now());
  forgive();
  intake.add(files);
}

async function arrived(found, first) {
  await refresh(found.id);
  if (first) await openCase(found.id);
}

function keepSpacing(event) {
  event.preventDefault();
  const size = Number($("ruler-mm").value.replace(",", ".")) / desk.ruledPixels;
  if (!(size > 0 && size < 10)) return $("ruler-mm").select();
  giveUp();
  setSpacing([size, size]);
  $("canvas").focus();
}

const on = (id, kind, act) => $(id).addEventListener(kind, act);

function wireButtons() {
  radios($("tools"), TOOLS, take);
  $("actions").append(...ACTIONS.map((action) => Object.assign(button(...action), { disabled: true })));
  const clicks = {
    add: chooseFiles, choose: chooseFiles, export: openExport, help: openKeys, "reset-window": resetWindow, forget,
    accept: () => judge("accepted"), reject: () => judge("rejected"), next: acceptAndGoOn,
    play, "frame-back": () => step(-1), "frame-on": () => step(1),
    "zoom-in": () => desk.view.zoom(1.25), "zoom-out": () => desk.view.zoom(0.8), "zoom-fit": () => desk.view.fit(),
    "measure-pixel": () => (take("ruler"), $("canvas").focus()), "forget-spacing": () => setSpacing(null),
    "ruler-cancel": () => (giveUp(), $("canvas").focus()),
    theme: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  };
  for (const [id, act] of Object.entries(clicks)) on(id, "click", act);
  on("ruler", "submit", keepSpacing);
  on("ruler", "keydown", (event) => event.key === "Escape" && (giveUp(), $("canvas").focus()));
  on("keys", "close", () => remember("single", $("single").checked));
}

function wireInputs() {
  on("files", "change", () => (add([...$("files").files]), ($("files").value = "")));
  on("reader", "change", () => remember("reader", $("reader").value.trim()));
  on("size", "input", () => desk.resize($("size").valueAsNumber - desk.size));
  for (const id of ["opacity", "window", "level"]) on(id, "input", () => look({ [id]: $(id).valueAsNumber }));
  for (const id of ["heat", "calipers"]) on(id, "change", () => look({ [id]: $(id).checked }));
  on("threshold", "input", () => moveThreshold($("threshold").valueAsNumber));
  on("threshold", "change", keepThreshold);
  on("frame", "input", () => (stop(), scrub($("frame").valueAsNumber)));
  on("canvas", "pointerdown", stop);
  on("comment", "change", comment);
  on("comment", "keydown", (event) => (event.key === "Escape" || (event.key === "Enter" && event.ctrlKey)) && $("canvas").focus());
  on("canvas", "keydown", steered);
}

function wireDrops() {
  const over = (is) => $("drop").classList.toggle("over", is);
  document.addEventListener("dragover", (event) => (event.preventDefault(), over(true)));
  document.addEventListener("dragleave", (event) => !event.relatedTarget && over(false));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    over(false);
    came(performance.now());
    try {
      add(await dropped(event.dataTransfer));
    } catch {
      trouble(new server.Refused("What was dropped cannot be read.", "Use Add files, or check the right to read it."));
    }
  });
  addEventListener("pagehide", () => saver.leave());
  addEventListener("beforeunload", (event) => saver.stuck && event.preventDefault());
}

function showRemembered() {
  theme(remembered("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  $("reader").value = remembered("reader", "");
  $("single").checked = remembered("single", "true") === "true";
  take("brush");
  desk.resize(0);
  look({ opacity: Number(remembered("opacity", 0.8)) });
}

async function offerModels() {
  for (let how = await server.health(); how.status === "starting"; how = await server.health()) await new Promise((done) => setTimeout(done, 300));
  const known = await server.models(), usable = known.filter((each) => !each.error);
  for (const { name, error } of known) if (error) trouble(new server.Refused(`The model ${name} cannot be used: ${error}`));
  $("model").replaceChildren(...usable.map(({ name }) => new Option(name)));
  $("model-label").hidden = usable.length < 2;
  on("model", "change", () => use(usable.find((each) => each.name === $("model").value)));
  if (usable.length) use(usable[0]);
}

async function begin() {
  server.onTokenWanted(token);
  desk.pointer = new Pointer(desk, $("canvas"));
  wireButtons();
  wireInputs();
  wireDrops();
  new Keys(ROWS, $("canvas"), () => $("single").checked).list($("key-list"));
  showRemembered();
  try {
    await offerModels();
    for await (const info of server.cases()) list.put(info);
    const last = Number(remembered("case", 0));
    await openCase(list.items.has(last) ? last : list.items.keys().next().value);
  } catch (error) {
    trouble(error);
  }
  document.documentElement.dataset.ready = "yes";
}

begin();
