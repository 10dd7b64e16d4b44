// The sheet that one draws on: with mouse, finger, pen or keys; or drops a picture on.

const SHORTEST_STEP = 0.004; // of the sheet's side, between two points of a stroke
const KEY_STEP = 0.03; // of the sheet's side, that an arrow key moves the pen
const MOST_PICTURE_BYTES = 900_000; // larger pictures are scaled down before they are sent; the server takes 1 MiB
const SCALED_SIDE = 1024; // pixels of their longer side then

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = { strokes: [], drawing: false, x: 0.5, y: 0.5, isKeyboard: false };

// What the page knows of it. `form` is that of the training images, once it is known.
export const sheet = {
  picture: null, // { bitmap, blob }
  form: null,
  get strokes() { return pen.strokes; },
  get isEmpty() { return !pen.strokes.length && !sheet.picture; },
  onChange() {},
  onBadPicture() {},
};

export function change() {
  const empty = sheet.isEmpty;
  byId("undo").disabled = !pen.strokes.length;
  byId("clear").disabled = empty;
  byId("hint").hidden = !empty;
  const strokes = `${pen.strokes.length} stroke${pen.strokes.length === 1 ? "" : "s"}`;
  canvas.setAttribute("aria-label", `Drawing area, ${empty ? "empty" : sheet.picture ? "a picture" : strokes}`);
  draw();
  sheet.onChange();
}

export function resize() {
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  draw();
}

function draw() {
  const context = canvas.getContext("2d");
  const side = canvas.width;
  const colours = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, side, side);
  if (sheet.picture) drawPicture(context, side);
  context.lineWidth = side * strokePart();
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colours.getPropertyValue("--ink");
  for (const stroke of pen.strokes) drawStroke(context, stroke, side);
  if (pen.isKeyboard && document.activeElement === canvas) drawPen(context, side, colours.getPropertyValue("--accent"));
}

function strokePart() {
  const form = sheet.form;
  return form ? Math.min(0.11, Math.max(0.045, form.stroke / Math.max(...form.box) * 0.7)) : 0.07;
}

function drawStroke(context, stroke, side) {
  context.beginPath();
  context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
  for (const [x, y] of stroke) context.lineTo(x * side, y * side);
  context.stroke();
}

function drawPen(context, side, colour) {
  context.lineWidth = Math.max(2, side / 150);
  context.strokeStyle = colour;
  context.beginPath();
  context.arc(pen.x * side, pen.y * side, side * (pen.drawing ? 0.02 : 0.035), 0, 2 * Math.PI);
  context.stroke();
}

function drawPicture(context, side) {
  const { width, height } = sheet.picture.bitmap;
  const scale = side / Math.max(width, height);
  context.drawImage(sheet.picture.bitmap, (side - width * scale) / 2, (side - height * scale) / 2, width * scale, height * scale);
}

function start(x, y) {
  sheet.picture = null;
  pen.drawing = true;
  pen.strokes.push([[x, y]]);
  change();
}

function extend(x, y) {
  const stroke = pen.strokes[pen.strokes.length - 1];
  const [lastX, lastY] = stroke[stroke.length - 1];
  if (Math.hypot(x - lastX, y - lastY) < SHORTEST_STEP) return;
  stroke.push([x, y]);
  change();
}

function position(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  canvas.setPointerCapture(event.pointerId);
  pen.isKeyboard = false;
  start(...position(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (!pen.drawing || pen.isKeyboard || !event.isPrimary) return;
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) extend(...position(each));
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => { if (event.isPrimary && !pen.isKeyboard) pen.drawing = false; });
}

function undo() {
  pen.drawing = false;
  pen.strokes.pop();
  change();
}

function clear() {
  pen.drawing = false;
  pen.strokes = [];
  sheet.picture = null;
  byId("picture").value = "";
  change();
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const within = (value) => Math.min(1, Math.max(0, value));

canvas.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== " ") return;
  event.preventDefault();
  pen.isKeyboard = true;
  if (arrow) {
    pen.x = within(pen.x + arrow[0] * KEY_STEP);
    pen.y = within(pen.y + arrow[1] * KEY_STEP);
    if (pen.drawing) extend(pen.x, pen.y);
  } else if (pen.drawing) {
    pen.drawing = false;
  } else {
    start(pen.x, pen.y);
  }
  draw();
});
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" && event.target.type !== "file") return;
  if (event.key === "Escape") clear();
  if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && pen.strokes.length) { event.preventDefault(); undo(); }
});
byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", clear);

// Pictures

async function usePicture(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const isSent = ["image/png", "image/jpeg"].includes(file.type) && file.size <= MOST_PICTURE_BYTES;
    const blob = isSent ? file : await scaledDown(bitmap);
    pen.strokes = [];
    pen.drawing = false;
    sheet.picture = { bitmap, blob };
    change();
  } catch {
    sheet.onBadPicture(`${file.name || "This file"} is no picture that the browser can read.`);
  }
}

async function scaledDown(bitmap) {
  const scale = Math.min(1, SCALED_SIDE / Math.max(bitmap.width, bitmap.height));
  const smaller = new OffscreenCanvas(Math.max(1, bitmap.width * scale), Math.max(1, bitmap.height * scale));
  smaller.getContext("2d").drawImage(bitmap, 0, 0, smaller.width, smaller.height);
  return smaller.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

const frame = byId("sheet");
frame.addEventListener("dragover", (event) => { event.preventDefault(); frame.classList.add("over"); });
frame.addEventListener("dragleave", () => frame.classList.remove("over"));
frame.addEventListener("drop", (event) => {
  event.preventDefault();
  frame.classList.remove("over");
  if (event.dataTransfer.files.length) usePicture(event.dataTransfer.files[0]);
});
byId("picture").addEventListener("change", (event) => { if (event.target.files.length) usePicture(event.target.files[0]); });
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) usePicture(file);
});

new ResizeObserver(resize).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
canvas.addEventListener("focus", draw);
canvas.addEventListener("blur", draw);
