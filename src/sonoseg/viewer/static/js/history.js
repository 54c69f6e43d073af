// Undo and redo, a stroke at a time. Only the rectangle that a stroke changed is kept.

const MOST = 500;

export class History {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  /** Keep a change. before: the mask's data before it. area: what it may have changed. Gives whether anything did. */
  add(mask, before, area, action) {
    area = area && changed(mask, before, area);
    if (!area) return false;
    const change = { area, action, before: part(mask, before, area), after: part(mask, mask.data, area) };
    this.done.push(change);
    if (this.done.length > MOST) this.done.shift();
    this.undone = [];
    return true;
  }

  /** Take the last change back, or the last one taken back again; gives it, or null. */
  undo(mask) {
    return moved(mask, this.done, this.undone, "before");
  }

  redo(mask) {
    return moved(mask, this.undone, this.done, "after");
  }
}

function moved(mask, from, to, which) {
  const change = from.pop();
  if (!change) return null;
  put(mask, change[which], change.area);
  to.push(change);
  return change;
}

/** The rectangle within an area that holds all that differs, or null. */
function changed({ width, data }, before, [left, top, right, bottom]) {
  let from = right, to = left, first = -1, last = -1;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (data[y * width + x] === before[y * width + x]) continue;
      if (first < 0) first = y;
      last = y;
      from = Math.min(from, x);
      to = Math.max(to, x + 1);
    }
  }
  return first < 0 ? null : [from, first, to, last + 1];
}

function part(mask, data, [left, top, right, bottom]) {
  const kept = new Uint8Array((right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) kept.set(data.subarray(y * mask.width + left, y * mask.width + right), (y - top) * (right - left));
  return kept;
}

function put(mask, kept, [left, top, right, bottom]) {
  for (let y = top; y < bottom; y++) mask.data.set(kept.subarray((y - top) * (right - left), (y - top + 1) * (right - left)), y * mask.width + left);
}
