// Block Kit as Slack draws it. https://docs.slack.dev/reference/block-kit
//
// A surface gives: press(element, value), and for forms values, changed(block, element), errors.

import { confirmed, fresh, h } from "./dom.js";
import { channels, people } from "./link.js";
import { words } from "./mrkdwn.js";
import { picker } from "./picker.js";

const BLOCKS = { section, header, context, divider, actions, input, image, markdown };

/** Draw blocks. */
export function blocks(list, surface) {
  return list.map((block, at) => {
    const draw = BLOCKS[block.type];
    if (!draw) return h("p", { class: "dim" }, `A block of type ${block.type} is not drawn here.`);
    return draw({ ...block, block_id: block.block_id ?? `block-${at}` }, surface);
  });
}

function section(block, surface) {
  const made = h("div", { class: "block section" });
  const body = h("div", { class: "grow" });
  if (block.text) body.append(h("div", { class: "text" }, words(block.text)));
  if (block.fields) {
    body.append(h("div", { class: "fields" }, block.fields.map((one) => h("div", {}, words(one)))));
  }
  made.append(body);
  if (block.accessory) made.append(element(block, block.accessory, surface));
  return made;
}

function header(block) {
  return h("h3", { class: "block" }, words(block.text));
}

function context(block) {
  const shown = block.elements.map((one) =>
    one.type === "image" ? picture(one, "tiny") : h("span", {}, words(one)),
  );
  return h("div", { class: "block context" }, shown);
}

function divider() {
  return h("hr", { class: "block" });
}

function actions(block, surface) {
  return h("div", { class: "block actions" }, block.elements.map((one) => element(block, one, surface)));
}

function image(block) {
  return h(
    "figure",
    { class: "block" },
    picture(block, "wide"),
    block.title && h("figcaption", {}, words(block.title)),
  );
}

/** Nothing is loaded from outside: another address is named, not fetched. */
function picture(one, size) {
  if (one.image_url?.startsWith("data:image/")) {
    return h("img", { class: size, src: one.image_url, alt: one.alt_text });
  }
  return h("span", { class: `picture ${size}`, role: "img", "aria-label": one.alt_text, title: one.image_url }, one.alt_text);
}

function markdown(block) {
  return h("div", { class: "block text" }, words({ type: "mrkdwn", text: block.text }));
}

function input(block, surface) {
  const id = fresh("field");
  const error = surface.errors?.[block.block_id];
  const optional = block.optional && h("span", { class: "dim" }, " (optional)");
  const field = element(block, block.element, surface, id);
  const target = field.matches("input, select, textarea") ? field : field.querySelector("input");
  const about = [block.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  if (about) target?.setAttribute("aria-describedby", about);
  if (error) target?.setAttribute("aria-invalid", "true");
  if (!block.optional) target?.setAttribute("aria-required", "true");
  return h(
    "div",
    { class: `block input${error ? " wrong" : ""}`, "data-block": block.block_id },
    h("label", { for: id }, words(block.label), optional),
    field,
    error && h("p", { class: "error", id: `${id}-error` }, words({ type: "mrkdwn", text: error })),
    block.hint && h("p", { class: "hint", id: `${id}-hint` }, words(block.hint)),
  );
}

// --- elements --------------------------------------------------------------------------

const ELEMENTS = {
  button,
  plain_text_input: written,
  static_select: chosen,
  conversations_select: chosen,
  channels_select: chosen,
  external_select: picked,
  users_select: chosen,
  radio_buttons: ticked,
  checkboxes: ticked,
  overflow: chosen,
  image: (_block, one) => picture(one, "small"),
};

function element(block, one, surface, id) {
  const draw = ELEMENTS[one.type];
  if (!draw) return h("span", { class: "dim" }, `An element of type ${one.type} is not drawn here.`);
  return draw(block, one, surface, id);
}

function button(_block, one, surface) {
  if (one.url && !one.value) {
    return h("a", { class: "btn", href: one.url, target: "_blank", rel: "noopener noreferrer" }, words(one.text));
  }
  const made = h(
    "button",
    {
      type: "button",
      class: `btn ${one.style ?? ""}`,
      "aria-label": one.accessibility_label,
      "data-action": `${one.action_id} ${one.value ?? ""}`,
    },
    words(one.text),
  );
  made.addEventListener("click", () => use(made, one, () => surface.press(one, one.value ?? "")));
  return made;
}

/** Use an element once it is confirmed; it cannot be used again while that lasts. */
async function use(made, one, work) {
  if (one.confirm) {
    const { title, text, confirm, deny, style } = one.confirm;
    const agreed = await confirmed({
      title: words(title),
      text: words(text),
      confirm: words(confirm),
      deny: words(deny),
      style,
    });
    if (!agreed) return;
  }
  made.disabled = true;
  made.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    made.disabled = false;
    made.removeAttribute("aria-busy");
  }
}

/** A field keeps what was put into it while its form is drawn anew. */
const keyOf = (block, one) => `${block.block_id}/${one.action_id}`;

function kept(block, one, surface, first) {
  const key = keyOf(block, one);
  if (!surface.values) return first;
  if (!surface.values.has(key)) surface.values.set(key, { block: block.block_id, action: one.action_id, type: one.type, is: first });
  const value = surface.values.get(key);
  value.fresh = surface.drawing;
  value.optional = block.optional;
  return value.is;
}

function written(block, one, surface, id) {
  const value = kept(block, one, surface, one.initial_value ?? "");
  const tag = one.multiline ? "textarea" : "input";
  return h(tag, {
    id,
    value,
    rows: one.multiline ? 4 : undefined,
    maxlength: one.max_length,
    placeholder: one.placeholder?.text,
    on: {
      input: (event) => {
        if (surface.values) surface.values.get(keyOf(block, one)).is = event.target.value;
      },
    },
  });
}

function groups(one) {
  if (one.type === "conversations_select" || one.type === "channels_select") {
    const named = channels().filter((place) => place.name);
    return [["", named.map((place) => [`#${place.name}`, place.id])]];
  }
  if (one.type === "users_select") return [["", people().map((who) => [`@${who.name}`, who.id])]];
  const option = (given) => [given.text.text, given.value];
  if (one.option_groups) return one.option_groups.map((group) => [group.label.text, group.options.map(option)]);
  return [["", (one.options ?? []).map(option)]];
}

const initial = (one) =>
  one.initial_option?.value ?? one.initial_conversation ?? one.initial_channel ?? one.initial_user ?? "";

function chosen(block, one, surface, id) {
  const value = kept(block, one, surface, initial(one));
  const made = h("select", { id, "aria-label": id ? undefined : one.placeholder?.text ?? "Choose" });
  if (!value) made.append(h("option", { value: "" }, one.placeholder?.text ?? "Choose one"));
  for (const [label, options] of groups(one)) {
    const drawn = options.map(([text, option]) => h("option", { value: option }, text));
    made.append(...(label ? [h("optgroup", { label }, drawn)] : drawn));
  }
  made.value = value;
  made.addEventListener("change", () => {
    const entry = surface.values?.get(keyOf(block, one));
    if (entry) entry.is = made.value;
    const inActions = block.type !== "input" || block.dispatch_action;
    if (inActions && made.value) use(made, one, () => surface.press(one, made.value));
  });
  return made;
}

function picked(block, one, surface, id) {
  const value = kept(block, one, surface, one.initial_option ?? null);
  const entry = surface.values?.get(keyOf(block, one));
  return picker(one, value, {
    id,
    suggest: (typed) => surface.suggest(one, typed),
    picks: (option) => {
      if (entry) entry.is = option;
      if (option && block.dispatch_action) surface.press(one, option.value);
    },
  });
}

function ticked(block, one, surface) {
  const many = one.type === "checkboxes";
  const first = many ? (one.initial_options ?? []).map((option) => option.value) : initial(one);
  let now = kept(block, one, surface, first);
  const name = fresh("choice");
  return h(
    "div",
    { class: "choices", role: many ? "group" : "radiogroup" },
    one.options.map((option) =>
      h(
        "label",
        {},
        h("input", {
          type: many ? "checkbox" : "radio",
          name,
          value: option.value,
          checked: many ? now.includes(option.value) : now === option.value,
          on: {
            change: (event) => {
              if (!many) now = option.value;
              else now = event.target.checked ? [...now, option.value] : now.filter((v) => v !== option.value);
              const entry = surface.values?.get(keyOf(block, one));
              if (entry) entry.is = now;
            },
          },
        }),
        words(option.text),
      ),
    ),
  );
}

/** Give what a form's fields hold, as Slack hands it to the app. */
export function state(view, values) {
  const found = {};
  const options = new Map();
  for (const block of view.blocks) {
    const inside = [block.element, block.accessory, ...(block.elements ?? [])].filter(Boolean);
    for (const one of inside) {
      const all = [...(one.options ?? []), ...(one.option_groups ?? []).flatMap((group) => group.options)];
      options.set(one.action_id, all);
    }
  }
  for (const { block, action, type, is } of values.values()) {
    const all = options.get(action) ?? [];
    const option = (value) => all.find((given) => given.value === value) ?? null;
    const shapes = {
      plain_text_input: () => ({ value: is || null }),
      static_select: () => ({ selected_option: option(is) }),
      external_select: () => ({ selected_option: is || null }),
      radio_buttons: () => ({ selected_option: option(is) }),
      checkboxes: () => ({ selected_options: is.map(option).filter(Boolean) }),
      conversations_select: () => ({ selected_conversation: is || null }),
      channels_select: () => ({ selected_channel: is || null }),
      users_select: () => ({ selected_user: is || null }),
    };
    if (type in shapes) (found[block] ??= {})[action] = { type, ...shapes[type]() };
  }
  return found;
}
