// Plays a clip: one frame after the other in its own pace, each with its outline, until something else is done.
import { desk } from "./desk.js";
import { $, trouble } from "./said.js";
import { openFrame } from "./stage.js";

const LEAST = 30; // ms that a frame is seen

let playing = null;

/** Play, or stop. */
export async function play() {
  if (playing) return stop();
  if (!moves()) return;
  const mine = (playing = Symbol());
  tell();
  while (playing === mine && moves()) {
    const began = performance.now(), { details, place, frame } = desk.work;
    const number = (place.frame % details.frames.length) + 1, next = details.frames[number - 1];
    try {
      await openFrame(details, number);
    } catch (error) {
      trouble(error);
      break;
    }
    const pace = Math.max(0, next.seconds - frame.seconds) * 1000;
    await new Promise((done) => setTimeout(done, Math.max(LEAST, pace - (performance.now() - began))));
    if (desk.work?.details !== details) break;
  }
  if (playing === mine) stop();
}

export function stop() {
  playing = null;
  tell();
}

const moves = () => desk.work?.details.frames.length > 1 && desk.work.frame.seconds !== null;

function tell() {
  $("play").setAttribute("aria-pressed", Boolean(playing));
  $("play").textContent = playing ? "❚❚" : "▶";
  $("told").ariaLive = playing ? "off" : "polite";
}
