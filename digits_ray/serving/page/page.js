// The page: what is drawn goes to the server, and what it answers is shown. No library, nothing from outside.

import { Refusal, ask, headers } from "./server.js";
import { change, resize, sheet } from "./sheet.js";
import { hideProblem, showAnswer, showNothing, showProblem, showRun } from "./view.js";

const MOST_POINTS = 4000; // of a drawing; the server takes 4,096
const RETRY_MILLISECONDS = 1500;

const state = { run: null, changed: false, sending: false };

async function loadRun() {
  try {
    state.run = await ask("run", { headers: headers() });
  } catch (error) {
    showProblem(error);
    if (error.status !== 401) setTimeout(loadRun, RETRY_MILLISECONDS);
    return;
  }
  hideProblem();
  sheet.form = state.run.drawing;
  showRun(state.run);
  resize();
  if (state.changed) send();
}

// At most one request is on its way: what has been drawn meanwhile goes with the next.
async function send() {
  if (state.sending || !state.run) return;
  const request = currentRequest();
  state.changed = false;
  if (!request) return showNothing(state.run.image_shape);
  state.sending = true;
  try {
    const sets = state.run.set_level ? `?sets=${state.run.set_level}` : "";
    const answer = await ask(`predict${sets}`, request);
    hideProblem();
    if (!sheet.isEmpty) showAnswer(answer, sheet.picture);
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
  if (sheet.picture) return { method: "POST", body: sheet.picture.blob, headers: headers(sheet.picture.blob.type) };
  if (!sheet.strokes.length) return null;
  const drawing = thinned(sheet.strokes).map((stroke) => stroke.map(([x, y]) => [round(x), round(y)]));
  return { method: "POST", body: JSON.stringify({ drawing }), headers: headers("application/json") };
}

const round = (value) => Math.round(value * 1e4) / 1e4;

function thinned(strokes) {
  const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  const step = Math.ceil(points / MOST_POINTS);
  return step < 2 ? strokes : strokes.map((stroke) => stroke.filter((_, index) => index % step === 0));
}

sheet.onChange = () => {
  state.changed = true;
  document.body.dataset.answered = "not yet";
  send();
};
sheet.onBadPicture = (text) => showProblem(new Refusal(422, text));

document.getElementById("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", document.getElementById("token").value.trim());
  document.getElementById("token").value = "";
  loadRun();
});
loadRun();
