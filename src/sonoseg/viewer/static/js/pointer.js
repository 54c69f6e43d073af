// Mouse, pen, fingers and the cursor that the arrow keys move, as down, move and up of the tool in hand.

const STEP = { plain: 4, far: 20, near: 1 };

export class Pointer {
  /** desk: see main.js. */
  constructor(desk, canvas) {
    Object.assign(this, { desk, canvas, fingers: new Map(), cursor: null, byKeys: false, penDown: false, drag: null });
    const on = (kind, act) => canvas.addEventListener(kind, act, { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.lost(event));
    on("pointerleave", () => this.left());
    on("wheel", (event) => this.wheel(event));
    on("contextmenu", (event) => event.preventDefault());
    on("dblclick", (event) => this.twice(event));
  }

  down(event) {
    if (!this.desk.work) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture?.(event.pointerId);
    this.fingers.set(event.pointerId, event);
    this.byKeys = false;
    if (this.fingers.size === 2) return this.pinchBegins();
    if (this.fingers.size > 2 || this.drag) return;
    event.preventDefault();
    const place = this.place(event), other = event.button === 2 || event.altKey;
    if (event.button === 1 || event.shiftKey) this.drag = "move";
    else if (event.button === 2 && this.desk.tool.pans) this.drag = "window";
    else {
      this.drag = this.desk.tool.pans ? "move" : "tool";
      this.desk.tool.down(place, other);
    }
  }

  /** Pressed twice: an outline is closed, a point is taken away. */
  twice(event) {
    const { tool, work } = this.desk;
    if (!work) return;
    if (tool.finish && tool.active) tool.finish();
    else if (tool.twice) tool.twice(this.place(event));
  }

  move(event) {
    if (!this.desk.work) return;
    const last = this.fingers.get(event.pointerId);
    if (last) this.fingers.set(event.pointerId, event);
    if (this.drag === "pinch") return this.pinch();
    if (event.pointerType !== "touch" || last) this.seen(this.place(event));
    if (!last) return;
    const dx = event.clientX - last.clientX, dy = event.clientY - last.clientY;
    if (this.drag === "move") this.desk.view.move(dx, dy);
    else if (this.drag === "window") this.desk.windowed(dx, dy);
    else if (this.drag === "tool") {
      const all = event.getCoalescedEvents?.() || [];
      for (const each of all.length ? all : [event]) this.desk.tool.move(this.place(each));
    }
  }

  up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    if (this.drag === "tool" && !this.fingers.size) this.desk.tool.up(this.place(event));
    if (!this.fingers.size) this.drag = null;
    if (event.pointerType === "touch") this.left();
  }

  lost(event) {
    this.fingers.delete(event.pointerId);
    if (this.drag === "tool") this.desk.tool.up(this.place(event));
    if (!this.fingers.size) this.drag = null;
  }

  left() {
    if (this.byKeys || this.drag === "tool") return;
    this.cursor = null;
    this.desk.pointed(null);
    this.desk.view.draw();
  }

  /** A second finger: what the first one drew is given up, both move and zoom. */
  pinchBegins() {
    if (this.drag === "tool") this.desk.tool.cancel();
    this.drag = "pinch";
    this.grip = grip([...this.fingers.values()]);
  }

  pinch() {
    if (this.fingers.size < 2) return;
    const now = grip([...this.fingers.values()]), box = this.canvas.getBoundingClientRect();
    this.desk.view.move(now.x - this.grip.x, now.y - this.grip.y);
    this.desk.view.zoom(now.wide / this.grip.wide, now.x - box.left, now.y - box.top);
    this.grip = now;
  }

  wheel(event) {
    if (!this.desk.work) return;
    event.preventDefault();
    const much = -Math.sign(event.deltaY) * Math.min(3, Math.max(1, Math.abs(event.deltaY) / 100));
    if (this.desk.tool.wheelSizes && !event.ctrlKey) return this.desk.resize(much * Math.max(1, Math.round(this.desk.size / 10)));
    const box = this.canvas.getBoundingClientRect();
    this.desk.view.zoom(1.15 ** much, event.clientX - box.left, event.clientY - box.top);
  }

  /** Move the cursor by keys; the pen draws where it is down. */
  step(dx, dy, pace = "plain") {
    const { work, view, tool } = this.desk;
    if (!work) return;
    if (tool.pans) return view.move(-dx * 40, -dy * 40);
    this.byKeys = true;
    const from = this.cursor || { x: Math.round(work.image.width / 2), y: Math.round(work.image.height / 2) }, by = STEP[pace];
    const kept = (value, side) => Math.min(side - 1, Math.max(0, Math.round(value)));
    const place = { x: kept(from.x + dx * by, work.image.width), y: kept(from.y + dy * by, work.image.height) };
    this.seen(place);
    view.reveal(place);
    if (this.penDown) tool.move(place);
  }

  /** Set the pen down or lift it. */
  press() {
    const { work, tool } = this.desk;
    if (!work) return;
    if (!this.cursor) this.step(0, 0);
    if (!this.cursor) return;
    if (tool.pans || tool.finish) {
      tool.down(this.cursor);
      return tool.up(this.cursor);
    }
    this.penDown = !this.penDown;
    if (this.penDown) tool.down(this.cursor);
    else tool.up(this.cursor);
    this.desk.say(this.penDown ? "Pen down" : "Pen up");
  }

  lift() {
    this.penDown = false;
  }

  seen(place) {
    this.cursor = place;
    this.desk.pointed(place);
    this.desk.view.draw();
  }

  place(event) {
    return this.desk.view.at(event.clientX, event.clientY);
  }
}

function grip([a, b]) {
  return {
    x: (a.clientX + b.clientX) / 2,
    y: (a.clientY + b.clientY) / 2,
    wide: Math.max(10, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
  };
}
