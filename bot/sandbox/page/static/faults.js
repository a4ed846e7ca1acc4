// The faults of both emulators, the bot's process, and what the bot logs.

import { $, clock, h } from "./dom.js";
import { call, watch, world } from "./link.js";

const parts = {};

export function start() {
  const radio = (name, value, label) =>
    h("label", {}, h("input", { type: "radio", name, value, on: { change: slack } }), label);
  parts.down = h("input", { type: "checkbox", on: { change: slack } });
  parts.delays = h("div", { class: "row", role: "radiogroup", "aria-label": "How slow" }, [
    radio("delay", "0", "at once"),
    radio("delay", "1", "1 s"),
    radio("delay", "2.5", "2.5 s"),
    radio("delay", "5", "5 s"),
  ]);
  parts.limited = h("span", { class: "dim" });
  parts.fault = h("select", { id: "fault" });
  parts.code = h("input", { id: "code", list: "codes", placeholder: "FailedOperation", autocomplete: "off", spellcheck: "false" });
  parts.codes = h("datalist", { id: "codes" });
  parts.times = h("select", { id: "times" }, [
    h("option", { value: "0" }, "every request"),
    h("option", { value: "1" }, "the next request"),
    h("option", { value: "3" }, "the next 3 requests"),
  ]);
  parts.now = h("p", { class: "now", role: "status" });
  parts.skew = h("select", { id: "skew", on: { change: () => call("weather/clock", { seconds: Number(parts.skew.value) }) } }, [
    h("option", { value: "0" }, "right"),
    h("option", { value: "240" }, "4 minutes ahead"),
    h("option", { value: "600" }, "10 minutes ahead"),
    h("option", { value: "-600" }, "10 minutes behind"),
  ]);
  parts.bot = h("p", { class: "now" });
  const button = (label, work, style = "") => h("button", { type: "button", class: `btn ${style}`, on: { click: work } }, label);
  const storm = h(
    "form",
    { class: "stack" },
    h("label", { for: "fault" }, "What happens"),
    parts.fault,
    h("div", { id: "with-code", class: "stack", hidden: true }, h("label", { for: "code" }, "Code"), parts.code, parts.codes),
    h("label", { for: "times" }, "To"),
    parts.times,
    h("div", { class: "row" }, h("button", { type: "submit", class: "btn primary" }, "Apply")),
  );
  parts.fault.addEventListener("change", () => {
    $("with-code").hidden = parts.fault.value !== "code";
  });
  storm.addEventListener("submit", (event) => {
    event.preventDefault();
    const code = parts.code.value.trim() || "FailedOperation";
    call("weather/cloud", { fault: parts.fault.value, code, times: Number(parts.times.value) });
  });
  $("weather").append(
    h("div", { class: "row" }, button("Reset all faults", clear, "primary")),
    h(
      "fieldset",
      {},
      h("legend", {}, "The bot"),
      parts.bot,
      h("div", { class: "row" }, [
        button("Kill with -9, start again", () => call("bot", { do: "restart" }), "danger"),
        button("Kill with -9", () => call("bot", { do: "kill" })),
        button("Start", () => call("bot", { do: "start" })),
      ]),
      h("p", { class: "hint" }, "It runs in a process of its own. What was under way is reported when it is back."),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, "Tencent Cloud"),
      parts.now,
      storm,
      h("div", { class: "stack" }, h("label", { for: "skew" }, "Its clock is"), parts.skew),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, "Slack"),
      h("p", { class: "label" }, "Its Web API answers"),
      parts.delays,
      h("label", {}, parts.down, "Down: every call is answered with HTTP 503"),
      h("div", { class: "row" }, button("Rate-limit the next 3 calls of each kind", () => slack(3)), parts.limited),
    ),
  );
  $("fair").addEventListener("click", clear);
  $("log").append(h("ol", { id: "lines", class: "lines", "aria-label": "What the bot logs" }));
}

const clear = () => call("weather/clear");

function slack(limited) {
  const delay = Number(parts.delays.querySelector(":checked")?.value ?? 0);
  call("weather/slack", { down: parts.down.checked, delay, limited: typeof limited === "number" ? limited : 0 });
}

watch("setup", () => {
  const { faults, codes } = world.get("setup");
  parts.fault.replaceChildren(
    h("option", { value: "" }, "nothing: it answers as it should"),
    ...Object.entries(faults).map(([name, words]) => h("option", { value: name }, `it ${words}`)),
    h("option", { value: "code" }, "it refuses with a code of your choice"),
  );
  parts.codes.replaceChildren(...codes.map((code) => h("option", { value: code })));
});

watch("weather", () => {
  const now = world.get("weather");
  if (!now) return;
  parts.down.checked = now.slack_down;
  for (const one of parts.delays.querySelectorAll("input")) one.checked = Number(one.value) === now.slack_delay;
  parts.limited.textContent = now.slack_limited ? `${now.slack_limited} calls will be refused` : "";
  parts.skew.value = String(now.cloud_skew);
  const coming = now.cloud_next === 1 ? "The next request" : `The next ${now.cloud_next} requests`;
  parts.now.textContent = now.cloud_fault
    ? `Now: every request ${now.cloud_fault}.`
    : now.cloud_next
      ? `${coming} will meet it.`
      : "Now: fair.";
  const foul = now.slack_down || now.slack_delay || now.slack_limited || now.cloud_fault || now.cloud_next || now.cloud_skew;
  $("fair").hidden = !foul;
});

const STATES = { up: "The bot is up", starting: "The bot is starting", down: "The bot is down" };

watch("bot", () => {
  const bot = world.get("bot");
  if (!bot) return;
  const chip = $("bot");
  chip.textContent = STATES[bot.state];
  chip.dataset.state = bot.state;
  const pid = bot.pid ? `, process ${bot.pid}` : "";
  const times = bot.starts === 1 ? "once" : `${bot.starts} times`;
  parts.bot.textContent = `${STATES[bot.state]}${pid}; started ${times}.`;
});

// --- the log -------------------------------------------------------------------------------

const KNOWN = new Set(["event", "level", "logger", "timestamp"]);

watch("log/", ({ first, set, gone }) => {
  const list = $("lines");
  if (first) list.replaceChildren();
  for (const [key, line] of set) list.append(draw(key, line));
  for (const key of gone) list.querySelector(`[data-key="${key}"]`)?.remove();
});

function draw(key, line) {
  const facts = Object.entries(line).filter(([name]) => !KNOWN.has(name));
  const at = line.timestamp ? clock(Date.parse(line.timestamp) / 1000) : "";
  return h(
    "li",
    { "data-key": key, class: line.level ?? "page" },
    h("time", {}, at),
    h("span", {}, h("b", {}, line.event), facts.map(([name, value]) => [" ", h("span", { class: "dim" }, `${name}=`), typeof value === "string" ? value : JSON.stringify(value)])),
  );
}
