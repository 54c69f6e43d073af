// What the page says to the person, and what it remembers of the last time.
import { Refused } from "./server.js";

export const $ = (id) => document.getElementById(id);

export function say(text) {
  $("told").textContent = text;
}

export function banner(text = "") {
  $("banner").hidden = !text;
  $("banner").textContent = text;
}

/** Show what went wrong, or take it away. act: what the button does besides. */
export function trouble(error, [title, act] = ["Close", null]) {
  if (error && $("trouble").firstChild?.textContent === sentences(error)) return; // said already, and heard
  $("trouble").hidden = !error;
  $("trouble").replaceChildren();
  if (!error) return;
  if (!(error instanceof Refused)) console.error(error);
  $("trouble").dataset.kind = act ? "saving" : "";
  const text = document.createElement("span"), button = document.createElement("button");
  text.textContent = sentences(error);
  button.textContent = title;
  button.addEventListener("click", () => (trouble(null), act?.()));
  $("trouble").append(text, button);
}

/** What went wrong, and what to do. */
export function sentences({ message, hint = "" }) {
  return `${message}${/[.:!?]$/.test(message) ? "" : "."} ${hint && hint[0].toUpperCase() + hint.slice(1)}`.trim();
}

/** Take away what went wrong before, unless strokes wait to be saved. */
export function forgive() {
  if ($("trouble").dataset.kind !== "saving") trouble(null);
}

/** Say whether strokes are on the disk. again: sends them again. */
export function saving(state, error, again) {
  $("saving").textContent = { saving: "Saving…", saved: "All saved", failed: "Not saved" }[state];
  $("saving").classList.toggle("bad", state === "failed");
  if (error) trouble(error, ["Save again", again]);
  else if (state === "saved" && $("trouble").dataset.kind === "saving") trouble(null);
}

export function reader() {
  return $("reader").value.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim() || "reader";
}

export function remembered(key, otherwise) {
  return localStorage.getItem(`sonoseg ${key}`) ?? otherwise;
}

export function remember(key, value) {
  localStorage.setItem(`sonoseg ${key}`, value);
}
