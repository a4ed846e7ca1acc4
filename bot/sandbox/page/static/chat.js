// The workspace: channels, messages, threads, the app's home.

import { blocks } from "./blocks.js";
import { compose } from "./composer.js";
import { $, announce, clock, fresh, h, toast } from "./dom.js";
import { call, channel, channels, isDirect, me, people, person, titleOf, watch, world } from "./link.js";
import { mrkdwn, nameOf, spoken } from "./mrkdwn.js";

const PAGE = 150; // messages that are drawn at first, and more at a time
const HOME = "home";

const messages = new Map(); // channel → (ts → message)
const unread = new Map(); // channel → how many
const seat = { place: "C0INC", thread: "", most: PAGE };


// --- what there is -----------------------------------------------------------------------

watch("message/", ({ first, set, gone }) => {
  if (first) messages.clear();
  for (const [, message] of set) {
    if (!messages.has(message.channel)) messages.set(message.channel, new Map());
    const known = messages.get(message.channel);
    const news = !known.has(message.ts);
    known.set(message.ts, message);
    if (news && !first) heard(message);
  }
  for (const key of gone) {
    const [, place, ts] = key.split("/");
    messages.get(place)?.delete(ts);
  }
  if (first) {
    unread.clear();
    go(seat.place, { thread: seat.thread });
    return;
  }
  const bottom = atBottom($("scroll"));
  for (const [, message] of set) if (message.channel === seat.place) place(message);
  for (const key of gone) {
    const [, where, ts] = key.split("/");
    if (where === seat.place) document.querySelectorAll(`[data-ts="${ts}"]`).forEach((one) => one.remove());
  }
  trim(bottom);
  if (bottom) down($("scroll"));
});

watch("channels", () => drawSide());
watch("people", () => drawWho());
watch("home", () => {
  if (seat.place === HOME) drawHome();
});

function heard(message) {
  if (message.channel !== seat.place) {
    unread.set(message.channel, (unread.get(message.channel) ?? 0) + 1);
    drawSide();
  }
  if (message.user !== me.id) {
    const where = channel(message.channel);
    announce(`${nameOf(message.user)} in ${where ? titleOf(where) : "a thread"}: ${spoken(message)}`);
  }
}

const inOrder = (place) => [...(messages.get(place)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
const replies = (place, ts) => inOrder(place).filter((one) => one.thread_ts === ts);

// --- the side ------------------------------------------------------------------------------

function drawSide() {
  const places = channels().filter((place) => !isDirect(place));
  const direct = channels().filter(isDirect);
  const entry = (id, label, sign) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          "aria-current": seat.place === id ? "page" : undefined,
          class: unread.get(id) ? "unread" : undefined,
          on: { click: () => go(id) },
        },
        h("span", { class: "sign", "aria-hidden": "true" }, sign),
        label,
        unread.get(id) ? h("span", { class: "badge", "aria-label": `${unread.get(id)} new` }, unread.get(id)) : null,
      ),
    );
  $("side").replaceChildren(
    h("h2", {}, "Channels"),
    h("ul", {}, places.map((place) => entry(place.id, place.name, place.private ? "🔒" : "#"))),
    h("h2", {}, "Apps"),
    h(
      "ul",
      {},
      entry(HOME, "stopstream", "⌂"),
      direct.map((place) => entry(place.id, "stopstream: messages", "✉")),
    ),
  );
}

function drawWho() {
  const select = $("who");
  const options = people()
    .filter((one) => !one.bot)
    .map((one) => h("option", { value: one.id }, `${one.name}: ${one.what.join(", ")}`));
  select.replaceChildren(...options);
  select.value = me.id;
  const next = people().find((one) => !one.bot && one.id !== me.id);
  $("another").href = `/?as=${next?.id ?? me.id}`;
}

// --- going somewhere -----------------------------------------------------------------------

/** Open a channel, the home tab or a thread. */
export function go(id, { thread = "", focus = false } = {}) {
  const known = id === HOME || channel(id);
  seat.place = known ? id : channels()[0]?.id ?? HOME;
  seat.most = PAGE;
  unread.delete(seat.place);
  drawSide();
  const home = seat.place === HOME;
  $("messages").hidden = $("composer").hidden = $("earlier").hidden = home;
  $("home").hidden = !home;
  const place = channel(seat.place);
  $("place").textContent = home ? "stopstream" : isDirect(place) ? "stopstream: messages" : `# ${place.name}`;
  $("about").textContent = home
    ? "the app's home tab"
    : `${place.members.length} members${place.members.includes(world.get("setup")?.bot_user) ? "" : ", the bot is not here"}`;
  document.body.dataset.view = "chat";
  markBottom();
  if (home) {
    openThread("");
    drawHome();
    call("home");
  } else {
    drawMessages();
    openThread(known ? thread : "");
    compose($("composer"), () => seat.place, () => "", () => down($("scroll")));
  }
  if (focus) $("place").focus();
}

/** Go to the channel above or below in the list. */
export function step(by) {
  const order = [...channels().filter((place) => !isDirect(place)).map((place) => place.id), HOME];
  const at = order.indexOf(seat.place);
  go(order[(at + by + order.length) % order.length], { focus: true });
}

export function markBottom() {
  for (const one of document.querySelectorAll("#bottom button")) {
    one.toggleAttribute("aria-current", one.dataset.to === document.body.dataset.view);
  }
}

// --- messages ------------------------------------------------------------------------------

const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
const down = (box) => {
  box.scrollTop = box.scrollHeight;
  resting.set(box, true);
};

// Who reads at the end stays there when the box changes its size.
const resting = new Map();
const sizes = new ResizeObserver((changes) => {
  for (const { target } of changes) if (resting.get(target)) down(target);
});
for (const box of [$("scroll"), $("replies").parentElement]) {
  sizes.observe(box);
  box.addEventListener("scroll", () => resting.set(box, atBottom(box)), { passive: true });
}

function drawMessages() {
  const roots = inOrder(seat.place).filter((one) => !one.thread_ts);
  const list = $("messages");
  list.setAttribute("aria-label", `Messages in ${$("place").textContent}`);
  const shown = roots.slice(-seat.most);
  list.replaceChildren(...shown.map((one) => draw(one)));
  if (!roots.length) list.append(welcome());
  drawEarlier(roots.length - shown.length);
  down($("scroll"));
}

const TRY = [
  ["/stopstream live stream1", "cut a stream; its encoder comes back"],
  ["/stopstream ban stream2 for=12h", "cut a stream and keep it off"],
  ["/startstream live stream2", "lift the ban"],
  ["@stopstream stop ingest task-1", "the same by a mention, answered in the thread"],
  ["/stopstream", "a form"],
  ["/stopstream lvie stream1", "a typing mistake"],
  ["/stopstream help", "what there is"],
];

/** What to try first; a click puts it into the composer. */
function welcome() {
  const fill = (text) => {
    const box = $("write");
    box.value = text;
    box.focus();
    box.dispatchEvent(new Event("input"));
  };
  const entry = ([text, about]) =>
    h(
      "li",
      {},
      h("button", { type: "button", class: "quiet", on: { click: () => fill(text) } }, h("code", {}, text)),
      h("span", { class: "dim" }, about),
    );
  return h(
    "li",
    { class: "empty" },
    h("p", {}, "Nothing here yet. Try one of these, then sit down as someone else and try again:"),
    h("ul", {}, TRY.map(entry)),
  );
}

function drawEarlier(count) {
  const more = () => {
    const box = $("scroll");
    const height = box.scrollHeight;
    seat.most += PAGE;
    drawMessages();
    box.scrollTop = box.scrollHeight - height;
  };
  const button = h("button", { type: "button", class: "btn", on: { click: more } }, `${count} earlier messages`);
  $("earlier").replaceChildren(...(count > 0 ? [button] : []));
}

/** Keep the list short while someone reads at its end. */
function trim(bottom) {
  const list = $("messages");
  if (!bottom || list.children.length <= seat.most + 50) return;
  while (list.children.length > seat.most) list.firstElementChild.remove();
  const roots = inOrder(seat.place).filter((one) => !one.thread_ts).length;
  drawEarlier(roots - list.children.length);
}

/** Put a new or changed message where it belongs. */
function place(message) {
  if (message.thread_ts) {
    const root = $("messages").querySelector(`[data-ts="${message.thread_ts}"]`);
    const it = messages.get(message.channel).get(message.thread_ts);
    if (root && it) root.querySelector(".foot").replaceChildren(...foot(it));
    if (seat.thread === message.thread_ts) {
      const box = $("replies").parentElement;
      const bottom = atBottom(box);
      put($("replies"), message, true);
      if (bottom) down(box);
    }
    return;
  }
  put($("messages"), message, false);
  if (seat.thread === message.ts) put($("replies"), message, true);
}

function put(list, message, inThread) {
  list.querySelector(".empty")?.remove();
  const made = draw(message, inThread);
  const old = list.querySelector(`[data-ts="${message.ts}"]`);
  if (old) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(made);
    if (focused) refocus(made, focused);
    return;
  }
  let after = list.lastElementChild;
  while (after && after.dataset.ts > message.ts) after = after.previousElementSibling;
  if (after) after.after(made);
  else list.prepend(made);
  made.classList.add("new");
}

/** A message that changes under the hands keeps the focus, though what had it may be gone. */
function refocus(made, focused) {
  const action = focused.dataset?.action;
  const same = action && made.querySelector(`[data-action="${CSS.escape(action)}"]`);
  (same || made).focus();
}

function draw(message, inThread = false) {
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
      h("div", { class: "foot" }, inThread ? [] : foot(message)),
    ),
    tools(message, inThread),
  );
}

const hue = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 6, 0);

function foot(message) {
  const found = replies(message.channel, message.ts);
  if (!found.length) return [];
  const count = found.length === 1 ? "1 reply" : `${found.length} replies`;
  const last = found.at(-1);
  return [
    h(
      "button",
      { type: "button", class: "thread-link", on: { click: () => openThread(message.ts, true) } },
      h("b", {}, count),
      h("span", { class: "dim" }, ` ${nameOf(last.user)}, ${clock(Number(last.ts))}`),
    ),
  ];
}

function tools(message, inThread) {
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
  if (!inThread && !message.to) {
    made.unshift(h("button", { type: "button", on: { click: () => openThread(message.ts, true) } }, "Reply in thread"));
  }
  return made.length ? h("div", { class: "tools" }, made) : null;
}

/** Arrows walk over messages, Enter opens the thread. */
export function walk(event) {
  const list = event.target.closest?.("ol.messages");
  const now = event.target.closest?.(".message");
  if (!list || !now || event.target !== now) return;
  const to = { ArrowUp: now.previousElementSibling, ArrowDown: now.nextElementSibling }[event.key];
  if (to) {
    event.preventDefault();
    to.focus();
  } else if (event.key === "Enter" && list.id === "messages") {
    openThread(now.dataset.ts, true);
  }
}

/** Put the focus on the newest message. */
export function toMessages() {
  const list = seat.place === HOME ? $("home") : $("messages");
  (list.lastElementChild ?? $("place")).focus();
}

// --- threads -------------------------------------------------------------------------------

export function openThread(ts, focus = false) {
  const root = messages.get(seat.place)?.get(ts);
  seat.thread = root ? ts : "";
  $("thread").hidden = !root;
  if (!root) return;
  $("replies").setAttribute("aria-label", "The thread");
  $("replies").replaceChildren(draw(root, true), ...replies(seat.place, ts).map((one) => draw(one, true)));
  compose($("reply"), () => seat.place, () => seat.thread, () => down($("replies").parentElement));
  down($("replies").parentElement);
  if (focus) $("reply").querySelector("textarea").focus();
}

export function closeThread() {
  const root = seat.thread;
  openThread("");
  $("messages").querySelector(`[data-ts="${root}"]`)?.focus();
}

export const threadIsOpen = () => Boolean(seat.thread);

/** Follow links to channels and messages inside the page. */
export function follow(event) {
  const link = event.target.closest?.("a[data-channel]");
  if (!link) return;
  event.preventDefault();
  if (!channel(link.dataset.channel)) {
    toast("You are not in that channel.");
    return;
  }
  const ts = link.dataset.ts ?? "";
  const root = messages.get(link.dataset.channel)?.get(ts)?.thread_ts || ts;
  go(link.dataset.channel, { thread: root });
  $("messages").querySelector(`[data-ts="${root}"]`)?.scrollIntoView({ block: "center" });
}

// --- home ----------------------------------------------------------------------------------

function drawHome() {
  const view = world.get("home");
  if (!view) {
    $("home").replaceChildren(h("p", { class: "dim" }, "The app draws its home tab when it is opened."));
    return;
  }
  const press = (one, value) => call("act", { view: "home", action_id: one.action_id, value });
  $("home").replaceChildren(...blocks(view.blocks, { press }));
}
