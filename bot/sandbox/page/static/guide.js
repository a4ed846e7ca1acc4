// The first minute: what to press now, beside the picture that goes dark.

import { go } from "./chat.js";
import { copies } from "./cloud.js";
import { $, h } from "./dom.js";
import { become, channel, me, watch, world } from "./link.js";
import { messages } from "./messages.js";

const STREAM = "stream1";
const STOP = `/stopstream live ${STREAM}`;
const ASKER = "U0ALICE";
const READER = "U0BOB"; // who is in the audit channel
const INCIDENTS = "C0INC";
const TRAIL = "C0AUDIT";
const KEEP_OFF = "follow:keep-off";
const CONFIRM = "decide:confirm";
const KEPT = "guide-closed";

const seat = { step: 1, going: false, closed: sessionStorage.getItem(KEPT) === "yes" };

const stream = () => [...world].find(([key, thing]) => key.startsWith("thing/stream/") && thing.key[0] === STREAM);
const holds = (message, action) =>
  message.blocks.some((block) => block.elements?.some((one) => one.action_id?.startsWith(action)));

/** Return the messages with a button that does this, newest first. */
const cards = (action) =>
  [...(messages.get(INCIDENTS)?.values() ?? [])].filter((one) => holds(one, action)).sort((a, b) => (a.ts < b.ts ? 1 : -1));

/** Return the button itself, or what opens the thread that it is in. */
function button(action) {
  const found = cards(action);
  const shown = found.map((one) => drawn(one.ts)?.querySelector(`[data-action^="${action}"]`)).find(Boolean);
  return shown ?? (found.length ? drawn(found[0].thread_ts)?.querySelector(".thread-link") : null);
}

/** A card is in the channel, in the open thread, or in both. */
const drawn = (ts) => $("replies").querySelector(`[data-ts="${ts}"]`) ?? $("messages").querySelector(`[data-ts="${ts}"]`);

const inThread = () => Boolean(button(CONFIRM)?.matches(".thread-link"));

const STEPS = [
  {
    tells: () => [`${STREAM} is live. Stop it: send `, h("code", {}, STOP)],
    does: ["Type it for me", typeIt],
    points: () => ($("write")?.value.trim() === STOP ? $("composer").querySelector("button") : $("guide-do")),
  },
  {
    tells: (state) => [
      state === "active"
        ? `${STREAM} is live again: its encoder reconnected. `
        : "The picture is dark: you stopped it. Its encoder may reconnect. ",
      "To keep it off, press ",
      h("b", {}, "Ban 30 min"),
      " on the newest card.",
    ],
    points: () => button(KEEP_OFF),
  },
  {
    tells: () => ["A ban is confirmed first: ", inThread() ? "open the thread, then press " : "press ", h("b", {}, "Confirm"), "."],
    points: () => button(CONFIRM),
  },
  {
    tells: () => [
      me.id === READER
        ? "This is the trail: who asked, who confirmed, what was sent and what came back."
        : `The picture stays dark: ${STREAM} is banned. Each step is on the audit trail, which bob may read.`,
    ],
    does: ["Read it as bob", readTrail],
    points: () => (me.id === READER ? null : $("guide-do")),
  },
];

function typeIt() {
  const box = $("write");
  box.value = STOP;
  box.focus();
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function readTrail() {
  seat.going = true;
  become(READER);
}

function close() {
  seat.closed = true;
  sessionStorage.setItem(KEPT, "yes");
  draw();
  $("write")?.focus();
}

/** Return how far the story is; it never goes back, however the stream does. */
function reached(state) {
  if (state === "forbid") return 4;
  if (cards(CONFIRM).length) return 3;
  return state === "active" && !cards(KEEP_OFF).length ? 1 : 2;
}

function draw() {
  document.querySelectorAll(".point").forEach((one) => one.classList.remove("point"));
  const [key, thing] = stream() ?? [];
  if (thing) seat.step = Math.max(seat.step, reached(thing.state));
  const mine = me.id === ASKER || (me.id === READER && seat.step === STEPS.length);
  $("guide").hidden = !thing || !mine || seat.closed;
  copies.clear();
  if ($("guide").hidden) return;
  copies.set(key, $("guide-picture"));
  const step = STEPS[seat.step - 1];
  const said = h("span", {}, h("b", {}, `${seat.step} of ${STEPS.length}: `), step.tells(thing.state));
  if ($("guide-text").textContent !== said.textContent) $("guide-text").replaceChildren(said);
  const [label, work] = step.does ?? [];
  $("guide-do").hidden = !label || me.id === READER;
  $("guide-do").textContent = label ?? "";
  $("guide-do").onclick = work;
  step.points()?.classList.add("point");
}

export function start() {
  $("close-guide").addEventListener("click", close);
  $("composer").addEventListener("input", draw);
  // A thread that is opened or closed moves what is to be pressed.
  new MutationObserver(draw).observe($("replies"), { childList: true });
  watch("", () => {
    if (seat.going && me.id === READER && channel(TRAIL)) {
      seat.going = false;
      go(TRAIL);
    }
    draw();
  });
}
