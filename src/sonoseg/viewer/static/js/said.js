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
  $("trouble").hidden = !error;
  $("trouble").replaceChildren();
  if (!error) return;
  if (!(error instanceof Refused)) console.error(error);
  $("trouble").dataset.kind = act ? "saving" : "";
  const text = document.createElement("span"), button = document.createElement("button");
  text.textContent = `${error.message} ${error.hint || ""}`;
  button.textContent = title;
  button.addEventListener("click", () => (trouble(null), act?.()));
  $("trouble").append(text, button);
}

/** Say whether strokes are on the disk. again: sends them again. */
export function saving(state, error, again) {
  $("saving").textContent = { saving: "Saving…", saved: "All saved", failed: "Not saved" }[state];
  $("saving").classList.toggle("bad", state === "failed");
  if (error) trouble(error, ["Save again", again]);
  else if (state === "saved" && $("trouble").dataset.kind === "saving") trouble(null);
}

export function reader() {
  return $("reader").value.trim() || "reader";
}

export function remembered(key, otherwise) {
  return localStorage.getItem(`sonoseg ${key}`) ?? otherwise;
}

export function remember(key, value) {
  localStorage.setItem(`sonoseg ${key}`, value);
}
