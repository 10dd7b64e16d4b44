// What is shown: the answer, the bars and dots, what the networks see, and what went wrong.

const QUIET_MILLISECONDS = 800; // after the last answer, until a screen reader is told of it

const byId = (id) => document.getElementById(id);
let announcement = 0; // the timer of what a screen reader is told next

export function showRun(run) {
  const [height, width] = run.image_shape;
  const members = `${run.members.length} network${run.members.length === 1 ? "" : "s"}`;
  const accuracy = run.accuracy === null ? [] : [`${(100 * run.accuracy).toFixed(2)} % of ${run.held_out_rows.toLocaleString("en")} held-out rows right`];
  byId("run").textContent = run.name;
  document.title = `${run.name} · digits-ray`;
  byId("facts").textContent = [members, `images of ${height} × ${width}`, ...accuracy].join(" · ");
  if (!run.drawing.is_drawing) byId("hint").textContent = "Drop a picture here: the networks know photographs";
  byId("bars").replaceChildren(...run.classes.map(barRow));
  showNothing(run.image_shape);
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

// `picture` is what was sent as it is, where it was a picture.
export function showAnswer(answer, picture) {
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
  else if (picture) showSentPicture(picture);
}

// What a screen reader says, once the drawing rests.
function announce(text) {
  clearTimeout(announcement);
  announcement = setTimeout(() => { byId("status").textContent = text; }, QUIET_MILLISECONDS);
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

export function showNothing(shape) {
  showLabel("Draw", "unknown");
  byId("sentence").textContent = "with a mouse, a finger or a pen";
  for (const row of byId("bars").children) {
    row.classList.remove("top");
    row.querySelector(".fill").style.width = "0";
    row.querySelectorAll(".dot").forEach((dot) => dot.remove());
    for (const text of row.children[2].children) text.textContent = "";
  }
  const seen = byId("seen");
  const [height, width] = shape;
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

function showSentPicture(picture) {
  const seen = byId("seen");
  [seen.width, seen.height] = [picture.bitmap.width, picture.bitmap.height];
  seen.getContext("2d").drawImage(picture.bitmap, 0, 0);
  seen.setAttribute("aria-label", "The picture as it is");
}

export function showProblem(error) {
  byId("problem").textContent = error.message;
  byId("problem").hidden = error.status === 401 && !sessionStorage.getItem("token");
  byId("token-form").hidden = error.status !== 401;
}

export function hideProblem() {
  byId("problem").hidden = true;
  byId("token-form").hidden = true;
}
