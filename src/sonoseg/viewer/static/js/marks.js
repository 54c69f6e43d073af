// What tools and findings draw on the picture: crosses, lines, small plates with a text. The pen is in pixels of the image.

const DARK = "#000b", PLATE = "#071016cc", FONT = "600 12.5px system-ui, sans-serif";

export function cross(pen, x, y, arm) {
  pen.beginPath();
  pen.moveTo(x - arm, y);
  pen.lineTo(x + arm, y);
  pen.moveTo(x, y - arm);
  pen.lineTo(x, y + arm);
  pen.stroke();
}

/** Where the pointer is. */
export function drawCross(pen, view, { x, y }) {
  for (const [colour, width] of [[DARK, 3], ["#ffffff", 1.2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width / view.scale;
    cross(pen, x + 0.5, y + 0.5, 8 / view.scale);
  }
}

export function polyline(pen, view, points, colour, closed) {
  for (const [stroke, width] of [["#000a", 3.4], [colour, 1.6]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width / view.scale;
    pen.beginPath();
    points.forEach(([x, y], n) => (n ? pen.lineTo(x + 0.5, y + 0.5) : pen.moveTo(x + 0.5, y + 0.5)));
    if (closed) pen.closePath();
    pen.stroke();
  }
}

/** Size of a plate with a text, in pixels of the screen. */
export function plateSize(pen, text) {
  pen.font = FONT;
  return [Math.ceil(pen.measureText(text).width) + 12, 20];
}

/** Draw a plate with its top left corner at (x, y); the pen is in pixels of the screen. */
export function plate(pen, text, x, y, colour) {
  const [width, height] = plateSize(pen, text);
  pen.fillStyle = PLATE;
  pen.beginPath();
  pen.roundRect(x, y, width, height, 5);
  pen.fill();
  pen.fillStyle = colour;
  pen.textBaseline = "middle";
  pen.fillText(text, x + 6, y + height / 2 + 0.5);
}

/** A free place for a plate beside a box, both [left, top, width, height] on a canvas of [width, height].
 *  taken: boxes that it should not cover. */
export function placed([wide, high], [left, top, width, height], [right, bottom], taken) {
  const gap = 6, over = top - high - gap, under = top + height + gap;
  const tries = [[left + width - wide, over], [left, over], [left + width + gap, top], [left - wide - gap, top], [left, under], [left + width - wide, under]];
  const kept = tries.map(([x, y]) => [Math.min(Math.max(4, x), right - wide - 4), Math.min(Math.max(4, y), bottom - high - 4), wide, high]);
  const covers = (place) => taken.reduce((sum, other) => sum + shared(place, other), 0);
  return kept.reduce((best, each) => (covers(each) < covers(best) ? each : best));
}

/** Pixels that two boxes share. */
export function shared([left, top, width, height], [x, y, wide, high]) {
  const across = Math.min(left + width, x + wide) - Math.max(left, x), down = Math.min(top + height, y + high) - Math.max(top, y);
  return across > 0 && down > 0 ? across * down : 0;
}
