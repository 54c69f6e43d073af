// One frame under review: its picture, what was predicted, the mask as it stands, and what was done to it.
import * as server from "./server.js";
import * as masks from "./masks.js";
import { confidence, cut, measure, totals } from "./measures.js";
import { History } from "./history.js";
import { shared } from "./marks.js";
import { predict } from "./network.js";

export class Work {
  /** details: of the case. model: as /api/models tells it. shown: called when the picture is there, before the outline. */
  static async load(details, number, model, shown) {
    const frame = details.frames.find((each) => each.number === number);
    const place = { case: details.id, frame: number };
    const work = Object.assign(new Work(), {
      place, details, frame, model, chosen: 1, stamp: 0, lesions: [], history: new History(), threshold: model.threshold,
      key: `${details.id}/${number}/${model.name}`,
    });
    const seen = server.picture(place).then(grey).then((image) => {
      work.image = image;
      shown(work);
    });
    const { width, height } = frame;
    work.drawn = work.strokes;
    const [told] = await Promise.all([predict({ ...place, width, height, model: model.name }), seen]);
    Object.assign(work, told); // probability and presence
    work.mask = work.drawn ? masks.decode((await server.mask(place, model.name)).mask) : work.cut();
    work.measure();
    return work;
  }

  /** How many strokes the frame has; those that were drawn while another model was asked are not in this mask. */
  get strokes() {
    return this.details.corrections.filter((each) => each.number === this.place.frame).length;
  }

  get spacing() {
    return this.details.spacing || this.frame.spacing;
  }

  /** The mask of the probability map at the threshold; no network is asked. */
  cut() {
    return cut(this.probability, this.presence, this.image, this.threshold, this.model);
  }

  /** Measure the mask as it stands; what was chosen stays so, also where another lesion is the larger one now. */
  measure() {
    const was = this.lesions.find((each) => each.number === this.chosen);
    this.lesions = measure(this.mask, this.probability, this.spacing);
    if (!was && this.chosen !== 0) this.chosen = 1;
    if (!was) return;
    const likeness = ({ box }) => shared(box, was.box) / (box[2] * box[3] + was.box[2] * was.box[3]);
    this.chosen = this.lesions.reduce((best, each) => (!best || likeness(each) > likeness(best) ? each : best), null)?.number ?? 1;
  }

  get confidence() {
    this.totals ??= totals(this.probability);
    return confidence(this.totals, this.presence, this.lesions);
  }
}

/** {width, height, grey, windows} of a picture. */
async function grey({ blob, windows }) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let i = 0; i < values.length; i++) values[i] = data[4 * i];
  return { width: bitmap.width, height: bitmap.height, grey: values, windows };
}
