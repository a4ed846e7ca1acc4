// The form (modal) that is open for this person, and the errors of its fields.

import { blocks, state } from "./blocks.js";
import { dialog, fresh, h } from "./dom.js";
import { call, watch, world } from "./link.js";
import { words } from "./mrkdwn.js";

let shown = null; // {made, id, values, errors, view}

watch("modal", () => {
  const view = world.get("modal");
  if (!view) {
    shown?.made.close();
    shown = null;
    return;
  }
  if (shown && shown.view.hash === view.hash && shown.id === view.id) return;
  if (shown && shown.id !== view.id) shown.made.close();
  if (!shown || shown.id !== view.id) open(view);
  shown.view = view;
  shown.errors = {};
  draw();
});

function open(view) {
  const title = fresh("form");
  const made = h("dialog", { class: "form", "aria-labelledby": title });
  const mine = { made, id: view.id, title, values: new Map(), errors: {}, view, drawing: 0 };
  shown = mine;
  made.addEventListener("cancel", () => call("close"));
  made.addEventListener("close", () => {
    if (shown === mine) shown = null;
  });
  dialog(made);
}

function draw() {
  const mine = shown;
  const { made, view } = mine;
  const focused = made.contains(document.activeElement) && document.activeElement.closest("[data-block]")?.dataset.block;
  mine.drawing += 1;
  const surface = {
    values: mine.values,
    errors: mine.errors,
    drawing: mine.drawing,
    press: (one, value) =>
      call("act", { view: "modal", action_id: one.action_id, value, values: state(view, mine.values) }),
    suggest: (one, value) => call("suggest", { action_id: one.action_id, value }),
  };
  const form = h(
    "form",
    { novalidate: true, autocomplete: "off" },
    h("header", {}, h("h2", { id: mine.title }, words(view.title))),
    h("div", { class: "fill" }, blocks(view.blocks, surface)),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "btn", on: { click: () => call("close") } }, view.close ? words(view.close) : "Cancel"),
      view.submit && h("button", { type: "submit", class: "btn primary" }, words(view.submit)),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(mine);
  });
  // What the form no longer has is forgotten.
  for (const [key, value] of mine.values) if (value.fresh !== mine.drawing) mine.values.delete(key);
  made.replaceChildren(form);
  const wrong = made.querySelector("[aria-invalid]");
  const before = focused && made.querySelector(`[data-block="${CSS.escape(focused)}"] :is(input, select, textarea)`);
  (wrong || before || made.querySelector("input, select, textarea, button"))?.focus();
}

async function submit(mine) {
  mine.errors = {};
  for (const value of mine.values.values()) {
    if (!value.optional && !(value.is?.length || value.is?.value)) mine.errors[value.block] = "Please complete this required field.";
  }
  if (Object.keys(mine.errors).length) {
    draw();
    return;
  }
  const send = mine.made.querySelector("[type=submit]");
  send.disabled = true;
  const answer = await call("submit", { values: state(mine.view, mine.values) });
  send.disabled = false;
  if (answer.errors && Object.keys(answer.errors).length) {
    mine.errors = answer.errors;
    if (shown === mine) draw();
  }
}
