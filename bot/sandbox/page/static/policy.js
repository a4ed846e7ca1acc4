// The policy in an editor: its problems line by line, and which rule lets a command pass.

import { $, calmly, h, toast } from "./dom.js";
import { call, channels, me, people, watch, world } from "./link.js";

const parts = {};
let saved = "";

export function start() {
  parts.text = h("textarea", {
    id: "policy-text",
    spellcheck: "false",
    wrap: "off",
    rows: 20,
    "aria-label": "The policy file",
    "aria-describedby": "policy-problems",
  });
  parts.numbers = h("div", { class: "numbers", "aria-hidden": "true" });
  parts.problems = h("ul", { id: "policy-problems", class: "problems", "aria-live": "polite" });
  parts.state = h("span", { class: "dim", role: "status" });
  parts.anyway = h("button", { type: "button", class: "btn", hidden: true, on: { click: () => save(true) } }, "Save it broken");
  parts.user = h("select", { id: "explain-user" });
  parts.channel = h("select", { id: "explain-channel" });
  parts.words = h("input", { id: "explain-words", value: "/stopstream live stream1", spellcheck: "false", autocomplete: "off" });
  parts.answer = h("div", { class: "answer", "aria-live": "polite" });
  parts.schema = h("details", { class: "schema" }, h("summary", {}, "What may stand in it"));
  parts.schema.addEventListener("toggle", schema, { once: true });
  $("policy").append(
    h("div", { class: "editor" }, parts.numbers, parts.text),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "btn primary", on: { click: () => save(false) } }, "Save"),
      h("button", { type: "button", class: "btn", on: { click: () => load(world.get("policy")) } }, "Undo changes"),
      parts.anyway,
      parts.state,
    ),
    parts.problems,
    h("h3", {}, "Explain"),
    h(
      "div",
      { class: "explain" },
      h("label", { for: "explain-user" }, "If"),
      parts.user,
      h("label", { for: "explain-channel" }, "in"),
      parts.channel,
      h("label", { for: "explain-words" }, "types"),
      parts.words,
    ),
    parts.answer,
    parts.schema,
  );
  const looked = calmly(look);
  parts.text.addEventListener("input", () => {
    number();
    looked();
  });
  parts.text.addEventListener("scroll", () => {
    parts.numbers.scrollTop = parts.text.scrollTop;
  });
  parts.text.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      save(false);
    }
  });
  const explained = calmly(explain);
  for (const one of [parts.user, parts.channel, parts.words]) one.addEventListener("input", explained);
}

watch("policy", () => {
  const text = world.get("policy") ?? "";
  if (parts.text.value === saved || parts.text.value === text) load(text);
  else parts.state.textContent = "The file was changed elsewhere.";
  saved = text;
});

watch("people", () => choices());
watch("channels", () => choices());

function choices() {
  const user = parts.user.value || me.id;
  const place = parts.channel.value || "C0INC";
  parts.user.replaceChildren(...people().filter((one) => !one.bot).map((one) => h("option", { value: one.id }, one.name)));
  parts.channel.replaceChildren(...channels().filter((one) => one.name).map((one) => h("option", { value: one.id }, `#${one.name}`)));
  parts.user.value = user;
  parts.channel.value = place;
  explain();
}

function load(text) {
  parts.text.value = text;
  saved = text;
  number();
  look();
}

function number(wrong = []) {
  const count = parts.text.value.split("\n").length;
  const lines = new Set(wrong.map(({ line }) => line));
  parts.numbers.replaceChildren(
    ...Array.from({ length: count }, (_, at) => h("div", { class: lines.has(at + 1) ? "wrong" : "" }, at + 1)),
  );
  parts.numbers.scrollTop = parts.text.scrollTop;
}

function show(problems) {
  number(problems);
  parts.text.toggleAttribute("aria-invalid", problems.length > 0);
  parts.anyway.hidden = !problems.length;
  parts.problems.replaceChildren(
    ...problems.map(({ line, text }) =>
      h("li", {}, line ? h("button", { type: "button", class: "quiet", on: { click: () => select(line) } }, `line ${line}`) : null, ` ${text}`),
    ),
  );
}

function select(line) {
  const lines = parts.text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  parts.text.focus();
  parts.text.setSelectionRange(start, start + lines[line - 1].length);
  parts.text.scrollTop = (line - 5) * parseFloat(getComputedStyle(parts.text).lineHeight);
}

async function look() {
  const text = parts.text.value;
  parts.state.textContent = text === saved ? "" : "Not saved.";
  const { problems } = await call("policy/check", { text });
  if (parts.text.value !== text) return;
  show(problems ?? []);
  explain();
}

async function save(brokenToo) {
  const text = parts.text.value;
  const answer = await call("policy/save", { text, broken_too: brokenToo });
  show(answer.problems ?? []);
  if (answer.saved) {
    saved = text;
    parts.state.textContent = "Saved; the bot reads it within a second.";
  } else {
    toast("It has problems, so it is not saved.");
    parts.text.focus();
  }
}

async function explain() {
  const given = { text: parts.text.value, user: parts.user.value, channel: parts.channel.value, words: parts.words.value };
  if (!given.text || !given.user) return;
  const found = await call("policy/explain", given);
  if (found.problems) {
    parts.answer.replaceChildren(h("p", { class: "dim" }, "Mend the problems above first."));
    return;
  }
  if (found.mistake) {
    parts.answer.replaceChildren(h("pre", { class: "mistake" }, found.mistake));
    return;
  }
  parts.answer.replaceChildren(
    h("p", {}, h("code", {}, found.command ?? "")),
    h(
      "p",
      { class: found.allowed ? "yes" : "no" },
      h("b", {}, found.allowed ? "Allowed by " : "Denied: "),
      found.verdict ?? "",
    ),
    h("ul", {}, (found.lines ?? []).map((line) => h("li", {}, line))),
  );
}

// --- the schema ----------------------------------------------------------------------------

async function schema() {
  const whole = await (await fetch("/api/schema")).json();
  const defs = { "the file": whole, ...whole.$defs };
  parts.schema.append(
    ...Object.entries(defs)
      .filter(([, one]) => one.properties)
      .map(([name, one]) =>
        h(
          "section",
          {},
          h("h4", {}, name),
          h("dl", {}, Object.entries(one.properties).flatMap(([key, value]) => [
            h("dt", {}, h("code", {}, key), one.required?.includes(key) ? " (required)" : ""),
            h("dd", {}, value.description ?? kind(value)),
          ])),
        ),
      ),
  );
}

const kind = (value) =>
  value.enum?.join(", ") ?? value.$ref?.split("/").at(-1) ?? value.anyOf?.map(kind).join(" or ") ?? value.type ?? "";
