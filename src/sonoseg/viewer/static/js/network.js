// The one module that talks to the network. A network that runs in the page itself replaces this file.
import { ask } from "./server.js";

export const STEPS = 50000; // a probability comes in whole steps of 1 / STEPS

/** predict(image) -> {probability, presence}: Uint16Array(height * width) in steps; in [0, 1], or null where none is told.
 *  image: {case, frame, width, height, model}. */
export async function predict(image) {
  const model = image.model ? `?model=${encodeURIComponent(image.model)}` : "";
  const answer = await ask("GET", `/api/cases/${image.case}/frames/${image.frame}/probability${model}`);
  const probability = new Uint16Array(await answer.arrayBuffer()), told = answer.headers.get("Sonoseg-Presence");
  if (probability.length !== image.width * image.height) throw new Error("the probability map is not of the image's size");
  return { probability, presence: told === null ? null : Number(told) };
}
