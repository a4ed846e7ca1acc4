// The cloud: streams with their pictures, other things, the gauge, requests and their signatures.

import { $, clock, h } from "./dom.js";
import { call, watch, world } from "./link.js";

const tiles = new Map(); // key → {made, canvas, line, back, badge}
export const copies = new Map(); // key → a canvas elsewhere that shows the same picture
const peaks = new Map(); // api → the most in one second
const WORDS = { active: "live", inactive: "offline", forbid: "banned" };
const KINDS = {
  stream: "stream",
  recording: "recording",
  "record-task": "recording task",
  ingest: "ingest task",
  session: "rendering session",
  domain: "domain",
};
const GOING = new Set(["active", "running", "InProgress", "pushing", "enabled"]);
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function start() {
  $("cloud").append(
    h("h3", {}, "Live streams"),
    h("div", { id: "streams", class: "tiles" }),
    h("h3", {}, "Recordings, tasks, sessions"),
    h("ul", { id: "things", class: "things" }),
    h("h3", {}, "Requests in the last second"),
    h("div", { id: "gauges" }),
    h("h3", {}, "Requests ", h("small", { class: "dim" }, "newest first; open one to see its signature checked")),
    h("div", { id: "requests" }, h("p", { class: "dim", id: "no-requests" }, "None yet.")),
  );
  requestAnimationFrame(paint);
}

// --- things ------------------------------------------------------------------------------

watch("thing/", ({ first, set, gone }) => {
  if (first) {
    tiles.clear();
    $("streams").replaceChildren();
    $("things").replaceChildren();
  }
  for (const [key, thing] of set) (thing.kind === "stream" ? drawStream : drawThing)(key, thing);
  for (const key of gone) {
    tiles.get(key)?.made.remove();
    tiles.delete(key);
  }
});

function drawStream(key, thing) {
  if (!tiles.has(key)) tiles.set(key, newTile(key, thing));
  const tile = tiles.get(key);
  const word = WORDS[thing.state] ?? thing.state;
  tile.thing = thing;
  tile.made.dataset.state = thing.state;
  tile.badge.textContent = word;
  tile.back.checked = thing.returns_after !== null;
  tile.push.disabled = thing.state === "active";
  tile.made.setAttribute("aria-label", `${thing.key[0]} is ${word}`);
}

function newTile(key, thing) {
  const change = (what) => call("thing", { kind: "stream", key: thing.key, do: what });
  const canvas = h("canvas", { width: 288, height: 162, "aria-hidden": "true" });
  const badge = h("span", { class: "badge", role: "status" });
  const line = h("p", { class: "dim encoder" });
  const back = h("input", { type: "checkbox", on: { change: (event) => change(event.target.checked ? "come-back" : "stay-away") } });
  const push = h("button", { type: "button", class: "btn small", on: { click: () => change("start") } }, "Start", h("span", { class: "unseen" }, ` the encoder of ${thing.key[0]}`));
  const tell = (what, label) =>
    h("button", { type: "button", class: "btn small", on: { click: () => change(what) } }, label, h("span", { class: "unseen" }, ` of ${thing.key[0]}`));
  const made = h(
    "article",
    { class: "tile", "data-key": key },
    h("div", { class: "screen" }, canvas, badge),
    h("h4", {}, thing.key[0]),
    line,
    h("div", { class: "row" }, push, h("label", {}, back, "reconnects")),
    h("div", { class: "row" }, tell("alert", "Send an alert"), tell("flag", "Flag a picture")),
  );
  $("streams").append(made);
  return { made, canvas, badge, line, back, push, thing };
}

function drawThing(key, thing) {
  const list = $("things");
  const going = GOING.has(thing.state);
  const made = h(
    "li",
    { "data-key": key, class: going ? "on" : "" },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", {}, h("b", {}, thing.key.join(" / ")), h("span", { class: "dim" }, ` ${KINDS[thing.kind] ?? thing.kind}`)),
    h("span", { class: "state" }, thing.state),
    h(
      "button",
      {
        type: "button",
        class: "btn small",
        disabled: going,
        "aria-label": `Restart ${thing.key.join(" ")}`,
        on: { click: () => call("thing", { kind: thing.kind, key: thing.key, do: "start" }) },
      },
      "Restart",
    ),
  );
  const old = list.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (old) old.replaceWith(made);
  else list.append(made);
}

// --- pictures ------------------------------------------------------------------------------

let painted = 0;

function paint(now) {
  requestAnimationFrame(paint);
  const wait = still.matches ? 1000 : 66;
  if (now - painted < wait || ($("cloud").hidden && !copies.size) || document.hidden) return;
  painted = now;
  for (const [key, tile] of tiles) {
    picture(tile.canvas, tile.thing, now);
    copies.get(key)?.getContext("2d").drawImage(tile.canvas, 0, 0);
    const said = encoder(tile.thing);
    if (tile.line.textContent !== said) tile.line.textContent = said;
  }
}

function encoder(thing) {
  if (thing.state === "active") return "The encoder pushes.";
  if (thing.state === "forbid") {
    const until = new Date(thing.banned_until * 1000);
    return `Its encoder is refused until ${until.toLocaleDateString([], { month: "short", day: "numeric" })}, ${until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`;
  }
  const left = thing.returns_at === null ? 0 : thing.returns_at - Date.now() / 1000;
  return left > 0 ? `The encoder reconnects in ${left.toFixed(1)} s.` : "The encoder is off.";
}

const BARS = ["#c8c8c8", "#c9c02a", "#2bbdbd", "#2cb54a", "#b83bb8", "#c23a3a", "#2f4fc4"];

function picture(canvas, thing, now) {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  if (thing.state === "active") {
    const shift = ((now / 40) % width) * (still.matches ? 0 : 1);
    const bar = width / BARS.length;
    BARS.forEach((colour, at) => {
      pen.fillStyle = colour;
      pen.fillRect(at * bar, 0, bar + 1, height * 0.72);
    });
    const glow = pen.createLinearGradient(shift - 90, 0, shift + 90, 0);
    glow.addColorStop(0, "#0000");
    glow.addColorStop(0.5, "#ffffff66");
    glow.addColorStop(1, "#0000");
    pen.fillStyle = glow;
    pen.fillRect(0, 0, width, height * 0.72);
    pen.fillStyle = "#14161c";
    pen.fillRect(0, height * 0.72, width, height);
    const swing = Math.sin(now / 700 + thing.key[0].length) * 0.4 + 0.5;
    pen.fillStyle = "#fff";
    pen.beginPath();
    pen.arc(24 + swing * (width - 48), height * 0.86, 9, 0, 7);
    pen.fill();
    pen.font = "600 15px ui-monospace, monospace";
    pen.fillText(new Date().toISOString().slice(11, 22), 12, 24);
    return;
  }
  pen.fillStyle = thing.state === "forbid" ? "#2a0d10" : "#15171c";
  pen.fillRect(0, 0, width, height);
  if (thing.state === "forbid") {
    pen.strokeStyle = "#7a1f24";
    pen.lineWidth = 10;
    for (let x = -height; x < width; x += 36) {
      pen.beginPath();
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
      pen.stroke();
    }
  }
  pen.fillStyle = thing.state === "forbid" ? "#ffd7d7" : "#777d8a";
  pen.font = "600 20px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText(thing.state === "forbid" ? "BANNED" : "NO SIGNAL", width / 2, height / 2 + 7);
  pen.textAlign = "start";
}

// --- the gauge -----------------------------------------------------------------------------

watch("gauges", ({ first }) => {
  if (first) peaks.clear();
  const shown = (world.get("gauges") ?? []).filter(({ api, count }) => {
    if (count > (peaks.get(api) ?? 0)) peaks.set(api, count);
    return peaks.has(api);
  });
  const rows = shown.map(({ api, count, limit }) =>
    h(
      "div",
      { class: "gauge" },
      h("span", {}, api),
      h("meter", { min: 0, max: limit, high: limit * 0.9, value: count, "aria-label": `${api}: ${count} of ${limit} a second` }),
      h("span", { class: "count" }, `${count} / ${limit}`, h("small", { class: "dim" }, ` most ${peaks.get(api)}`)),
    ),
  );
  $("gauges").replaceChildren(...(rows.length ? rows : [h("p", { class: "dim" }, "Quiet.")]));
});

// --- requests ------------------------------------------------------------------------------

watch("request/", ({ first, set, gone }) => {
  const box = $("requests");
  if (first) box.querySelectorAll("details").forEach((one) => one.remove());
  for (const [, one] of set.sort(([, a], [, b]) => a.at - b.at)) box.prepend(request(one));
  for (const key of gone) box.querySelector(`[data-id="${CSS.escape(key.slice(8))}"]`)?.remove();
  $("no-requests").hidden = box.querySelector("details") !== null;
});

function request(one) {
  const given = Object.entries(one.params).map(([name, value]) => `${name}=${value}`);
  if (one.region) given.push(`region ${one.region}`);
  const made = h(
    "details",
    { "data-id": one.request_id, class: one.ran ? "ran" : "refused" },
    h(
      "summary",
      {},
      h("time", {}, clock(one.at)),
      h("b", {}, one.api || "unknown"),
      h("span", { class: "verdict" }, one.ran ? "ran" : one.code),
    ),
  );
  // The steps are drawn when someone looks.
  made.addEventListener(
    "toggle",
    () => {
      made.append(
        h("p", { class: "dim" }, given.join(" · ") || "no parameters"),
        h("p", { class: "dim" }, "RequestId ", h("code", {}, one.request_id)),
        h("ol", { class: "steps" }, one.steps.map(step)),
      );
    },
    { once: true },
  );
  return made;
}

function step({ name, holds, shows }) {
  const [sign, said] = holds === null ? ["–", "not reached"] : holds ? ["✓", "holds"] : ["✗", "does not hold"];
  return h(
    "li",
    { class: holds === null ? "skipped" : holds ? "holds" : "fails" },
    h("span", { class: "sign", role: "img", "aria-label": said }, sign),
    h("div", {}, h("b", {}, name), holds !== null && h("pre", {}, shows)),
  );
}
