// Puts the page together: tabs, keys, narrow screens.

import * as chat from "./chat.js";
import * as cloud from "./cloud.js";
import { $, dialog, h } from "./dom.js";
import * as faults from "./faults.js";
import "./form.js";
import * as guide from "./guide.js";
import { become, connect } from "./link.js";
import * as policy from "./policy.js";

const TABS = ["cloud", "weather", "policy", "log"];

function show(name, focus = false) {
  for (const one of TABS) {
    const chosen = one === name;
    $(one).hidden = !chosen;
    $(`tab-${one}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${one}`).tabIndex = chosen ? 0 : -1;
    if (chosen && focus) $(`tab-${one}`).focus();
  }
  document.body.dataset.tab = name;
}

function view(name) {
  document.body.dataset.view = name;
  chat.markBottom();
}

const KEYS = [
  ["Enter", "send; Shift+Enter makes a new line"],
  ["/ or @", "completions; ↑ ↓ choose, Tab or Enter takes one, Esc closes them"],
  ["↑ in an empty composer", "what was typed before"],
  ["Alt+↑  Alt+↓", "the channel above or below"],
  ["F6", "from the channels to the messages, the thread, the world and back"],
  ["Alt+M", "the newest message; ↑ ↓ walk, Enter opens its thread, Tab reaches its buttons"],
  ["Alt+1 … Alt+4", "cloud, weather, policy, log"],
  ["Alt+C", "the composer"],
  ["Esc", "closes a form or the thread"],
];

function help() {
  const made = h(
    "dialog",
    { class: "keys", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", {}, KEYS.flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)])),
    h("footer", {}, h("button", { type: "button", class: "btn primary", on: { click: () => made.close() } }, "Close")),
  );
  dialog(made);
}

/** Go round the regions of the page. */
function round(back) {
  const regions = ["side", "chat", "thread", "world"].filter((id) => !$(id).hidden);
  const now = regions.findIndex((id) => $(id).contains(document.activeElement));
  const next = regions[(now + (back ? -1 : 1) + regions.length) % regions.length];
  if (next === "side" || next === "chat" || next === "world") view(next);
  const first = { chat: "#write", thread: "#write-reply", side: "[aria-current]", world: "[role=tab][tabindex='0'], [aria-selected=true]" }[next];
  ($(next).querySelector(first) ?? $(next).querySelector("button, input, textarea"))?.focus();
}

document.addEventListener("keydown", (event) => {
  chat.walk(event);
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "F6") {
    event.preventDefault();
    round(event.shiftKey);
  } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    chat.step(event.key === "ArrowUp" ? -1 : 1);
  } else if (event.altKey && ["Digit1", "Digit2", "Digit3", "Digit4"].includes(event.code)) {
    event.preventDefault();
    view("world");
    show(TABS[Number(event.code.at(-1)) - 1], true);
  } else if (event.altKey && event.code === "KeyM") {
    event.preventDefault();
    chat.toMessages();
  } else if (event.altKey && event.code === "KeyC") {
    event.preventDefault();
    $("write")?.focus();
  } else if (event.key === "Escape" && chat.threadIsOpen()) {
    chat.closeThread();
  }
});

document.addEventListener("click", chat.follow);
$("close-thread").addEventListener("click", chat.closeThread);
$("keys").addEventListener("click", help);
$("who").addEventListener("change", (event) => become(event.target.value));

for (const [at, name] of TABS.entries()) {
  const tab = $(`tab-${name}`);
  tab.addEventListener("click", () => show(name));
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) show(TABS[(at + by + TABS.length) % TABS.length], true);
  });
}

for (const one of document.querySelectorAll("#bottom button")) {
  one.addEventListener("click", () => view(one.dataset.to));
}

cloud.start();
faults.start();
policy.start();
guide.start();
show("cloud");
connect();
