// The workspace: channels, messages, threads, the app's home.

import { blocks } from "./blocks.js";
import { compose } from "./composer.js";
import { $, announce, h, toast } from "./dom.js";
import { call, channel, channels, isDirect, me, people, titleOf, watch, world } from "./link.js";
import { draw, foot, inOrder, messages, replies } from "./messages.js";
import { nameOf, spoken } from "./mrkdwn.js";
import { atBottom, down, up } from "./scroll.js";

const PAGE = 150; // messages that are drawn at first, and more at a time
const HOME = "home";

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
    up($("scroll"));
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

function drawMessages() {
  const roots = inOrder(seat.place).filter((one) => !one.thread_ts);
  const list = $("messages");
  list.setAttribute("aria-label", `Messages in ${$("place").textContent}`);
  const shown = roots.slice(-seat.most);
  list.replaceChildren(...shown.map((one) => draw(one, openThread)));
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
  ["/stopstream help", "what you can do"],
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
    h("p", {}, "Nothing here yet. Try one of these, then switch to someone else at the top and try again:"),
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
    if (root && it) root.querySelector(".foot").replaceChildren(...foot(it, openThread));
    if (seat.thread === message.thread_ts) {
      const box = $("replies").parentElement;
      const bottom = atBottom(box);
      put($("replies"), message);
      if (bottom) down(box);
    }
    return;
  }
  put($("messages"), message, openThread);
  if (seat.thread === message.ts) put($("replies"), message);
}

function put(list, message, open) {
  list.querySelector(".empty")?.remove();
  const made = draw(message, open);
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
  $("replies").replaceChildren(draw(root), ...replies(seat.place, ts).map((one) => draw(one)));
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
