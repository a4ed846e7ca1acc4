// Slack's mrkdwn as nodes. https://docs.slack.dev/messaging/formatting-message-text

import { h } from "./dom.js";
import { channel, people, person, world } from "./link.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const INLINE =
  /```\n?([\s\S]*?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\p{L}\p{N}])([*_~])(?=\S)((?:[^\n]*?[^\s\\])??)\4(?![\p{L}\p{N}])/gu;
const WRAPS = { "*": "strong", _: "em", "~": "s" };

export const decode = (text) => text.replace(/&(?:amp|lt|gt);/g, (found) => ENTITIES[found]);

/** Draw a text object of Block Kit. */
export function words(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text) : lines(object.text);
}

/** Draw mrkdwn. */
export function mrkdwn(text) {
  const found = [];
  let quote = null;
  // A quote takes whole lines; code blocks may hold lines that begin like one.
  for (const piece of text.split(/(```[\s\S]*?```)/)) {
    if (piece.startsWith("```")) {
      found.push(...inline(piece));
      continue;
    }
    const rows = piece.split("\n");
    rows.forEach((row, at) => {
      const quoted = /^(?:&gt;|>) ?(.*)$/.exec(row);
      if (quoted) {
        if (!quote) found.push((quote = h("blockquote")));
        else quote.append(h("br"));
        quote.append(...inline(quoted[1]));
        return;
      }
      const after = quote !== null;
      quote = null;
      if (at > 0 && !after) found.push(h("br"));
      found.push(...inline(row));
    });
    quote = null;
  }
  return found;
}

function inline(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(...lines(decode(text.slice(at, match.index))));
    at = match.index + match[0].length;
    const [, block, code, token, sign, inside] = match;
    if (block !== undefined) found.push(h("pre", {}, plain(block).replace(/\n$/, "")));
    else if (code !== undefined) found.push(h("code", {}, plain(code)));
    else if (token !== undefined) found.push(reference(token));
    else if (inside) found.push(h(WRAPS[sign], {}, inline(inside)));
    else found.push(match[0]);
  }
  found.push(...lines(decode(text.slice(at))));
  return found;
}

/** Inside code nothing is markup, but references lose their brackets. */
const plain = (text) => decode(text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (_, target, label) => label ?? target));

function lines(text) {
  return text.split("\n").flatMap((row, at) => (at ? [h("br"), row] : [row])).filter((one) => one !== "");
}

function reference(token) {
  const bar = token.indexOf("|");
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? "" : decode(token.slice(bar + 1));
  if (target.startsWith("@")) {
    const name = person(target.slice(1))?.name ?? (label || target.slice(1));
    return h("span", { class: "mention" }, `@${name}`);
  }
  if (target.startsWith("#")) {
    const id = target.slice(1);
    const name = channel(id)?.name ?? label;
    if (!name) return h("span", { class: "mention" }, "a private channel");
    return h("a", { class: "mention", href: `#${id}`, "data-channel": id }, `#${name}`);
  }
  if (target.startsWith("!")) return special(target.slice(1), label);
  return anchor(decode(target), label);
}

function special(target, label) {
  const [kind, ...rest] = target.split("^");
  if (kind === "date") return date(Number(rest[0]), rest[1] ?? "", rest[2], label);
  if (kind === "subteam") return h("span", { class: "mention" }, label || `@${rest[0]}`);
  return h("span", { class: "mention loud" }, `@${kind}`);
}

function anchor(url, label) {
  const own = new RegExp(`^https://${world.get("setup")?.domain}\\.slack\\.com/archives/(\\w+)/p(\\d{10})(\\d{6})`);
  const found = own.exec(url);
  if (found) {
    const [, id, seconds, rest] = found;
    return h("a", { href: `#${id}`, "data-channel": id, "data-ts": `${seconds}.${rest}` }, label || "message");
  }
  if (!/^(?:https?|mailto):/.test(url)) return label || url;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url);
}

const DAY = { year: "numeric", month: "long", day: "numeric" };
const FORMATS = {
  date_num: (at) => at.toISOString().slice(0, 10),
  date: (at) => at.toLocaleDateString("en", DAY),
  date_short: (at) => at.toLocaleDateString("en", { ...DAY, month: "short" }),
  date_long: (at) => at.toLocaleDateString("en", { ...DAY, weekday: "long" }),
  time: (at) => at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }),
  time_secs: (at) => at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (at) => `${Math.max(0, Math.round((Date.now() - at) / 1000))} seconds ago`,
};

function date(seconds, format, link, fallback) {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  const text = format.replace(/\{(\w+?)(_pretty)?\}/g, (all, name, pretty) => {
    if (!(name in FORMATS)) return all;
    return (pretty && near(at)) || FORMATS[name](at);
  });
  const made = h("time", { datetime: at.toISOString(), title: at.toLocaleString() }, text || fallback);
  return link ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, made) : made;
}

function near(at) {
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

/** Give what a message says in one line, for screen readers and lists. */
export function spoken(message) {
  const made = h("div", {}, mrkdwn(message.text || "a message"));
  return made.textContent.replace(/\s+/g, " ").trim();
}

export const nameOf = (id) => people().find((one) => one.id === id)?.name ?? id;
