"use strict";
// Shows one item at a time and sends one decision at a time; all else is done by the server.

const at = (id) => document.getElementById(id);
const tabs = [...document.querySelectorAll("[data-file]")];
const kept = (name) => sessionStorage.getItem(location.pathname + name);
const keep = (name, value) => sessionStorage.setItem(location.pathname + name, value);

let reviewer = kept("reviewer") || document.body.dataset.reviewer;
let file = tabs.some((tab) => tab.dataset.file === kept("file")) ? kept("file") : tabs[0].dataset.file;
let item = null; // as the server shows it
let busy = false;

function say(text, bad = false) {
  at("status").textContent = text;
  at("status").classList.toggle("bad", bad);
}

// One request at a time: a key that comes before the answer was not meant for the next item.
async function ask(path, body) {
  if (busy) return null;
  busy = true;
  try {
    const options = body && {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    const answer = await fetch(path, options || {});
    const found = await answer.json();
    if (found.error) say(found.error, true);
    return found.error ? null : found;
  } catch {
    say("The server does not answer. Is it still running? No decision is lost.", true);
    return null;
  } finally {
    busy = false;
  }
}

const query = (more) => new URLSearchParams({ file, reviewer, ...more }).toString();

function show(found) {
  const moved = !item || item.n !== found.n || item.file !== found.file;
  if (!item || item.image !== found.image) showImage(found);
  item = found;
  file = found.file;
  const edited = !at("edit").hidden;
  closeForm();
  at("item").innerHTML = found.html; // escaped where it was rendered
  if (edited) at("heading").focus();
  at("stats").innerHTML = found.stats;
  at("accept").setAttribute("aria-pressed", found.decision === "accept");
  at("reject").setAttribute("aria-pressed", found.decision === "reject");
  at("change").disabled = !found.editable;
  at("previous").disabled = found.n === 1;
  at("next").disabled = found.n === found.total;
  for (const tab of tabs) mark(tab, tab.dataset.file === file);
  const place = `Item ${found.n} of ${found.total}.`;
  const done = found.done ? ` You have judged all ${found.total}.` : "";
  say(`${found.said || ""} ${place}${done}`.trim());
  if (moved) scrollTo(0, 0);
  document.body.dataset.ready = `${file} ${found.n} ${found.judged}`;
}

function mark(tab, current) {
  if (current) tab.setAttribute("aria-current", "page");
  else tab.removeAttribute("aria-current");
}

function showImage(found) {
  const image = at("image");
  zoom(false);
  at("zoom").hidden = !found.image;
  at("no-image").hidden = Boolean(found.image);
  at("no-image").textContent = `No image is shown. ${found.alt}`;
  image.alt = found.alt;
  if (found.image) image.src = `image?${new URLSearchParams({ file: found.file, n: found.n })}`;
  else image.removeAttribute("src");
}

function zoom(on) {
  at("zoom").setAttribute("aria-pressed", on);
  at("zoom-word").textContent = on ? "fit" : "enlarge";
  if (!on) return;
  at("zoom").focus(); // the arrow keys move it
  at("zoom").scrollLeft = (at("image").width - at("zoom").clientWidth) / 2;
  at("zoom").scrollTop = (at("image").height - at("zoom").clientHeight) / 2;
}

async function load(more = {}) {
  view("review");
  const found = await ask(`item?${query(more)}`);
  if (found) show(found);
}

async function decide(decision, more = {}) {
  const { n, sha256 } = item;
  const found = await ask("decide", { file, reviewer, n, sha256, decision, ...more });
  if (found && found.errors) showErrors(found.errors);
  else if (found) show(found);
}

async function undo() {
  const found = await ask("undo", { file, reviewer });
  if (found && found.html) show(found);
  else if (found) say(found.said);
}

// Reject: a digit for a reason, or letters for one's own.
function why() {
  at("reasons").replaceChildren(
    ...item.reasons.map((text, place) => {
      const button = document.createElement("button");
      const key = document.createElement("kbd");
      key.textContent = place + 1;
      button.type = "button";
      button.append(key, ` ${text}`);
      button.addEventListener("click", () => reject(text));
      return button;
    }),
  );
  at("reason").value = "";
  at("why").showModal();
  at("reasons").firstChild.focus();
}

function reject(reason) {
  at("why").close();
  decide("reject", { reason });
}

at("why").addEventListener("keydown", (event) => {
  if (event.target === at("reason") || event.ctrlKey || event.metaKey || event.altKey) return;
  const reason = item.reasons[Number(event.key) - 1];
  if (/^[1-9]$/.test(event.key) && reason) {
    event.preventDefault();
    reject(reason);
  } else if (/^[^\s\d]$/u.test(event.key)) at("reason").focus(); // the letter lands there
});
at("why").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  reject(at("reason").value);
});

// Edit.
async function openForm() {
  const found = await ask(`form?${query({ n: item.n })}`);
  if (!found) return;
  at("inputs").innerHTML = found.html;
  at("edit-error").textContent = "";
  editing(true);
  at("inputs").querySelector("input, textarea, select").focus();
  say("Editing. Ctrl Enter accepts the edited item, Escape leaves it as it was.");
}

function closeForm() {
  if (!at("edit").hidden) editing(false);
}

function editing(on) {
  at("item").hidden = at("decide").hidden = on;
  at("edit").hidden = at("edit-buttons").hidden = !on;
}

function showErrors(errors) {
  at("edit-error").textContent = errors[""] || "";
  let first = null;
  for (const input of at("inputs").querySelectorAll("[name]")) {
    const text = errors[input.name] || "";
    input.setAttribute("aria-invalid", Boolean(text));
    at(`${input.id}-error`).textContent = text;
    first = first || (text && input);
  }
  if (first) first.focus();
  say("Not accepted: correct what is marked.", true);
}

at("edit").addEventListener("submit", (event) => {
  event.preventDefault();
  decide("accept", { values: Object.fromEntries(new FormData(at("edit"))) });
});
at("edit-cancel").addEventListener("click", () => {
  closeForm();
  say(`Not edited. Item ${item.n} of ${item.total}.`);
  at("change").focus();
});
at("edit").addEventListener("keydown", (event) => {
  if (event.key === "Escape") at("edit-cancel").click();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("edit").requestSubmit();
});

// Go to a number, switch file or reviewer.
at("where").querySelector("form").addEventListener("submit", () => {
  load({ n: Math.min(Math.max(1, at("number").value), item.total) });
});
at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  reviewer = at("reviewer").value.trim() || reviewer;
  at("reviewer").value = reviewer;
  keep("reviewer", reviewer);
  at("reviewer").blur();
  load();
});
for (const tab of tabs)
  tab.addEventListener("click", () => {
    file = tab.dataset.file;
    keep("file", file);
    load();
  });

// The threshold of the discriminator.
function view(name) {
  at("review").hidden = name !== "review";
  if (at("threshold")) at("threshold").hidden = name !== "threshold";
  closeForm();
  at("decide").hidden = name !== "review";
  if (at("threshold-tab")) mark(at("threshold-tab"), name === "threshold");
}

async function drawThreshold() {
  const value = at("at").value;
  at("at-value").value = Number(value).toFixed(3);
  if (at("at-line")) at("at-line").textContent = Number(value);
  const found = await ask(`threshold?${new URLSearchParams({ at: value })}`);
  if (!found) return;
  at("curve").innerHTML = found.html;
  at("curve").dataset.at = value;
  if (at("at").value !== value) drawThreshold(); // it was moved meanwhile
}

if (at("threshold")) {
  at("at").addEventListener("input", drawThreshold);
  at("threshold-tab").addEventListener("click", async () => {
    view("threshold");
    for (const tab of tabs) mark(tab, false);
    say("");
    await drawThreshold();
    at("at").focus();
  });
  if (at("write"))
    at("write").addEventListener("click", async () => {
      const found = await ask("config", { at: Number(at("at").value) });
      if (!found) return;
      await drawThreshold();
      say(found.said);
    });
}

// Keys: those of the buttons, when nothing is being typed.
at("accept").addEventListener("click", () => decide("accept"));
at("reject").addEventListener("click", why);
at("change").addEventListener("click", openForm);
at("undo").addEventListener("click", undo);
at("previous").addEventListener("click", () => load({ n: item.n - 1 }));
at("next").addEventListener("click", () => load({ n: item.n + 1 }));
at("go").addEventListener("click", () => {
  at("number").max = item.total;
  at("number").value = item.n;
  at("where").showModal();
  at("number").select();
});
at("help").addEventListener("click", () => at("keys").showModal());
at("zoom").addEventListener("click", () => zoom(at("zoom").getAttribute("aria-pressed") !== "true"));
at("image").addEventListener("error", () => {
  at("zoom").hidden = true;
  at("no-image").hidden = false;
  at("no-image").textContent = `The image cannot be read. ${at("image").alt}`;
});
for (const button of document.querySelectorAll("dialog button.close"))
  button.addEventListener("click", () => button.closest("dialog").close());

const ALIASES = { j: "n", k: "p" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.matches("input:not([type=range]), textarea, select")) return;
  if (document.querySelector("dialog[open]") || !at("edit").hidden || !item) return;
  const key = ALIASES[event.key] || event.key;
  const button = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  if (!button || button.disabled || !button.checkVisibility()) return;
  event.preventDefault();
  button.click();
});

at("reviewer").value = reviewer;
load();
