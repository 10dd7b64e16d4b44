// The page: strokes go to the server as they are drawn, and what it answers is shown. No library, nothing from outside.

const MOST_POINTS = 4000; // of a drawing; the server takes 4,096
const SHORTEST_STEP = 0.004; // of the sheet's side, between two points of a stroke
const KEY_STEP = 0.03; // of the sheet's side, that an arrow key moves the pen
const MOST_PICTURE_BYTES = 900_000; // larger pictures are scaled down before they are sent; the server takes 1 MiB
const SCALED_SIDE = 1024; // pixels of their longer side then
const RETRY_MILLISECONDS = 1500;
const QUIET_MILLISECONDS = 800; // after the last answer, until a screen reader is told of it

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = { strokes: [], drawing: false, x: 0.5, y: 0.5, isKeyboard: false };
const state = { run: null, picture: null, changed: false, sending: false };

// The server

function headers(type) {
  const token = sessionStorage.getItem("token");
  return { ...(type && { "Content-Type": type }), ...(token && { Authorization: `Bearer ${token}` }) };
}

class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, "The server does not answer. This page tries again.");
  }
  const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Refusal(response.status, sentence(answer.error || `Error ${response.status}.`));
  return answer;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

async function loadRun() {
  try {
    state.run = await ask("run", { headers: headers() });
  } catch (error) {
    showProblem(error);
    if (error.status !== 401) setTimeout(loadRun, RETRY_MILLISECONDS);
    return;
  }
  hideProblem();
  showRun();
  resize();
  if (state.changed) send();
}

// At most one request is on its way: what has been drawn meanwhile goes with the next.
async function send() {
  if (state.sending || !state.run) return;
  const request = currentRequest();
  state.changed = false;
  if (!request) return showNothing();
  state.sending = true;
  try {
    const sets = state.run.set_level ? `?sets=${state.run.set_level}` : "";
    const answer = await ask(`predict${sets}`, request);
    hideProblem();
    if (!isEmpty()) showAnswer(answer);
  } catch (error) {
    showProblem(error);
    const passes = error.status === 0 || error.status === 408 || error.status >= 500;
    if (passes) setTimeout(change, RETRY_MILLISECONDS);
  }
  state.sending = false;
  if (state.changed) send();
  else document.body.dataset.answered = "all";
}

function currentRequest() {
  if (state.picture) return { method: "POST", body: state.picture.blob, headers: headers(state.picture.blob.type) };
  if (!pen.strokes.length) return null;
  const drawing = thinned(pen.strokes).map((stroke) => stroke.map(([x, y]) => [round(x), round(y)]));
  return { method: "POST", body: JSON.stringify({ drawing }), headers: headers("application/json") };
}

const round = (value) => Math.round(value * 1e4) / 1e4;

function thinned(strokes) {
  const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  const step = Math.ceil(points / MOST_POINTS);
  return step < 2 ? strokes : strokes.map((stroke) => stroke.filter((_, index) => index % step === 0));
}

function change() {
  state.changed = true;
  document.body.dataset.answered = "not yet";
  const empty = isEmpty();
  byId("undo").disabled = !pen.strokes.length;
  byId("clear").disabled = empty;
  byId("hint").hidden = !empty;
  const strokes = `${pen.strokes.length} stroke${pen.strokes.length === 1 ? "" : "s"}`;
  canvas.setAttribute("aria-label", `Drawing area, ${empty ? "empty" : state.picture ? "a picture" : strokes}`);
  draw();
  send();
}

const isEmpty = () => !pen.strokes.length && !state.picture;

// The sheet

function resize() {
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  draw();
}

function draw() {
  const context = canvas.getContext("2d");
  const side = canvas.width;
  const colours = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, side, side);
  if (state.picture) drawPicture(context, side);
  context.lineWidth = side * strokePart();
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colours.getPropertyValue("--ink");
  for (const stroke of pen.strokes) drawStroke(context, stroke, side);
  if (pen.isKeyboard && document.activeElement === canvas) drawPen(context, side, colours.getPropertyValue("--accent"));
}

function strokePart() {
  const form = state.run?.drawing;
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
  const { width, height } = state.picture.bitmap;
  const scale = side / Math.max(width, height);
  context.drawImage(state.picture.bitmap, (side - width * scale) / 2, (side - height * scale) / 2, width * scale, height * scale);
}

function start(x, y) {
  state.picture = null;
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
  state.picture = null;
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
    state.picture = { bitmap, blob };
    change();
  } catch {
    showProblem(new Refusal(422, `${file.name || "This file"} is no picture that the browser can read.`));
  }
}

async function scaledDown(bitmap) {
  const scale = Math.min(1, SCALED_SIDE / Math.max(bitmap.width, bitmap.height));
  const smaller = new OffscreenCanvas(Math.max(1, bitmap.width * scale), Math.max(1, bitmap.height * scale));
  smaller.getContext("2d").drawImage(bitmap, 0, 0, smaller.width, smaller.height);
  return smaller.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

const sheet = byId("sheet");
sheet.addEventListener("dragover", (event) => { event.preventDefault(); sheet.classList.add("over"); });
sheet.addEventListener("dragleave", () => sheet.classList.remove("over"));
sheet.addEventListener("drop", (event) => {
  event.preventDefault();
  sheet.classList.remove("over");
  if (event.dataTransfer.files.length) usePicture(event.dataTransfer.files[0]);
});
byId("picture").addEventListener("change", (event) => { if (event.target.files.length) usePicture(event.target.files[0]); });
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) usePicture(file);
});

// What is shown

function showRun() {
  const run = state.run;
  const [height, width] = run.image_shape;
  const members = `${run.members.length} network${run.members.length === 1 ? "" : "s"}`;
  const accuracy = run.accuracy === null ? [] : [`${(100 * run.accuracy).toFixed(2)} % of ${run.held_out_rows.toLocaleString("en")} held-out rows right`];
  byId("run").textContent = run.name;
  document.title = `${run.name} · digits-ray`;
  byId("facts").textContent = [members, `images of ${height} × ${width}`, ...accuracy].join(" · ");
  if (!run.drawing.is_drawing) byId("hint").textContent = "Drop a picture here: the networks know photographs";
  byId("bars").replaceChildren(...run.classes.map(barRow));
  showNothing();
}

function barRow(name) {
  const row = document.createElement("tr");
  row.append(cell("th", "", String(name)), cell("td", ""), cell("td", "number"));
  row.children[2].append(cell("span", "percent"), cell("span", "unseen"));
  row.children[0].scope = "row";
  row.children[0].title = String(name);
  const track = cell("div", "track");
  track.append(cell("div", "fill"));
  row.children[1].append(track);
  return row;
}

function cell(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function showAnswer(answer) {
  const [label, proba, votes] = [answer.labels[0], answer.probabilities[0], answer.votes[0]];
  const set = answer.sets?.[0] ?? [label];
  const agreeing = votes.filter((vote) => vote === label).length;
  showLabel(String(label), set.length > 1 ? "unsure" : "");
  const sure = `${percent(Math.max(...proba))}, ${agreeing} of ${votes.length} networks agree`;
  const others = set.filter((each) => each !== label).map(String);
  byId("sentence").textContent = others.length ? `unsure: it may be ${listed(others)} · ${sure}` : sure;
  announce(`${label}, ${byId("sentence").textContent}`);
  answer.classes.forEach((name, index) => showBar(index, name, proba[index], answer));
  if (answer.seen) showSeen(answer.seen[0]);
  else if (state.picture) showSentPicture();
}

// What a screen reader says, once the drawing rests.
function announce(text) {
  clearTimeout(state.announcement);
  state.announcement = setTimeout(() => { byId("status").textContent = text; }, QUIET_MILLISECONDS);
}

const percent = (part) => `${(100 * part).toFixed(1)} %`;
const listed = (names) => names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names[names.length - 1]}`;

function showLabel(text, kind) {
  const label = byId("label");
  label.textContent = text;
  label.className = `answer ${kind} ${text.length > 6 ? "long" : ""}`;
}

function showBar(index, name, part, answer) {
  const row = byId("bars").children[index];
  const track = row.querySelector(".track");
  track.querySelectorAll(".dot").forEach((dot) => dot.remove());
  track.querySelector(".fill").style.width = `${100 * part}%`;
  row.classList.toggle("top", name === answer.labels[0]);
  row.querySelector(".percent").textContent = percent(part);
  const voters = answer.members.map((_, member) => member).filter((member) => answer.votes[0][member] === name);
  row.querySelector(".unseen").textContent = `, ${voters.length} of ${answer.members.length} networks`;
  for (const member of voters) track.append(dotOf(member, answer));
}

function dotOf(member, answer) {
  const dot = cell("span", "dot");
  const part = answer.vote_probabilities[0][member];
  dot.style.left = `${Math.min(99, 100 * part)}%`;
  dot.style.top = `${18 + 64 * ((member * 0.618 + 0.5) % 1)}%`;
  dot.title = `network ${answer.members[member]}: ${percent(part)}`;
  return dot;
}

function showNothing() {
  showLabel("Draw", "unknown");
  byId("sentence").textContent = "with a mouse, a finger or a pen";
  for (const row of byId("bars").children) {
    row.classList.remove("top");
    row.querySelector(".fill").style.width = "0";
    row.querySelectorAll(".dot").forEach((dot) => dot.remove());
    for (const text of row.children[2].children) text.textContent = "";
  }
  const seen = byId("seen");
  const [height, width] = state.run?.image_shape ?? [28, 28];
  [seen.width, seen.height] = [width, height];
  seen.setAttribute("aria-label", "Nothing yet");
}

function showSeen(image) {
  const seen = byId("seen");
  [seen.width, seen.height] = [image[0].length, image.length];
  const context = seen.getContext("2d");
  const pixels = context.createImageData(seen.width, seen.height);
  image.flat().forEach((pixel, index) => {
    const [red, green, blue] = Array.isArray(pixel) ? pixel : [pixel, pixel, pixel];
    pixels.data.set([red, green, blue, 255], 4 * index);
  });
  context.putImageData(pixels, 0, 0);
  seen.setAttribute("aria-label", `The drawing as ${seen.width} × ${seen.height} pixels`);
}

function showSentPicture() {
  const seen = byId("seen");
  [seen.width, seen.height] = [state.picture.bitmap.width, state.picture.bitmap.height];
  seen.getContext("2d").drawImage(state.picture.bitmap, 0, 0);
  seen.setAttribute("aria-label", "The picture as it is");
}

function showProblem(error) {
  byId("problem").textContent = error.message;
  byId("problem").hidden = error.status === 401 && !sessionStorage.getItem("token");
  byId("token-form").hidden = error.status !== 401;
}

function hideProblem() {
  byId("problem").hidden = true;
  byId("token-form").hidden = true;
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value.trim());
  byId("token").value = "";
  loadRun();
});

new ResizeObserver(resize).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
canvas.addEventListener("focus", draw);
canvas.addEventListener("blur", draw);
loadRun();
