// The messages that are known, and how one of them is drawn.

import { blocks } from "./blocks.js";
import { clock, fresh, h } from "./dom.js";
import { call, me, person, world } from "./link.js";
import { mrkdwn, nameOf } from "./mrkdwn.js";

export const messages = new Map(); // channel → (ts → message)

export const inOrder = (place) => [...(messages.get(place)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
export const replies = (place, ts) => inOrder(place).filter((one) => one.thread_ts === ts);

/** Draw a message; `open` opens its thread, and is absent inside one. */
export function draw(message, open) {
  const who = person(message.user);
  const label = fresh("message");
  const press = async (one, value) =>
    call("press", { channel: message.channel, ts: message.ts, action_id: one.action_id, value });
  const body = message.blocks.length
    ? blocks(message.blocks, { press })
    : [h("div", { class: "block text" }, mrkdwn(message.text))];
  return h(
    "li",
    {
      class: `message${message.to ? " alone" : ""}`,
      "data-ts": message.ts,
      tabindex: -1,
      "aria-labelledby": label,
    },
    h("span", { class: `face face-${hue(message.user)}`, "aria-hidden": "true" }, who?.bot ? "■" : (who?.name ?? "?")[0].toUpperCase()),
    h(
      "div",
      { class: "said" },
      h(
        "div",
        { class: "by", id: label },
        h("b", {}, who?.name ?? message.user),
        who?.bot && h("span", { class: "app" }, "APP"),
        h("time", { datetime: new Date(Number(message.ts) * 1000).toISOString() }, clock(Number(message.ts))),
        message.edits > 0 && h("span", { class: "dim" }, "edited"),
        message.to && h("span", { class: "only" }, "Only visible to you"),
      ),
      body,
      (message.files ?? []).map(([id, name]) =>
        h("a", { class: "file", href: `/file/${id}?as=${me.id}`, download: name }, `Download ${name}`),
      ),
      h("div", { class: "foot" }, open ? foot(message, open) : []),
    ),
    tools(message, open),
  );
}

const hue = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 6, 0);

/** What stands below a message that has a thread. */
export function foot(message, open) {
  const found = replies(message.channel, message.ts);
  if (!found.length) return [];
  const count = found.length === 1 ? "1 reply" : `${found.length} replies`;
  const last = found.at(-1);
  return [
    h(
      "button",
      { type: "button", class: "thread-link", on: { click: () => open(message.ts, true) } },
      h("b", {}, count),
      h("span", { class: "dim" }, ` ${nameOf(last.user)}, ${clock(Number(last.ts))}`),
    ),
  ];
}

function tools(message, open) {
  const shortcuts = (world.get("setup")?.shortcuts ?? []).filter((one) => one.type === "message");
  const made = shortcuts.map((one) =>
    h(
      "button",
      {
        type: "button",
        on: { click: () => call("shortcut", { callback_id: one.callback_id, channel: message.channel, ts: message.ts }) },
      },
      one.name,
    ),
  );
  if (open && !message.to) {
    made.unshift(h("button", { type: "button", on: { click: () => open(message.ts, true) } }, "Reply in thread"));
  }
  return made.length ? h("div", { class: "tools" }, made) : null;
}
