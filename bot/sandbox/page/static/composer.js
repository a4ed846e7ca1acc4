// A composer: a text field with completions and a history.

import { fresh, h, toast } from "./dom.js";
import { call, channel, channels, people, titleOf, world } from "./link.js";

const typed = []; // what was sent, newest last

/** Set up a composer once; `scroll` shows the end of its messages. */
export function compose(form, where, thread, scroll) {
  if (form.dataset.ready) {
    hint(form, where(), thread());
    return;
  }
  form.dataset.ready = "yes";
  const list = fresh("choices");
  const box = h("textarea", {
    id: form.id === "composer" ? "write" : "write-reply",
    rows: 1,
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": list,
    "aria-label": "Message",
  });
  const menu = h("ul", { id: list, role: "listbox", "aria-label": "Completions", hidden: true });
  form.append(menu, box, h("button", { type: "submit", class: "btn primary", "aria-label": "Send" }, "➤"));
  const choices = { found: [], at: 0 };
  let back = 0;

  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 160)}px`;
  };
  const show = () => {
    choices.found = completions(box.value.slice(0, box.selectionStart), Boolean(thread()));
    choices.at = 0;
    drawChoices();
  };
  const drawChoices = () => {
    menu.hidden = !choices.found.length;
    box.setAttribute("aria-expanded", String(!menu.hidden));
    menu.replaceChildren(
      ...choices.found.map((one, at) =>
        h(
          "li",
          {
            id: `${list}-${at}`,
            role: "option",
            "aria-selected": String(at === choices.at),
            on: {
              mousedown: (event) => {
                event.preventDefault();
                choices.at = at;
                take();
              },
            },
          },
          h("b", {}, one.shows),
          h("span", { class: "dim" }, one.about),
        ),
      ),
    );
    if (menu.hidden) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", `${list}-${choices.at}`);
  };
  const take = () => {
    const one = choices.found[choices.at];
    const rest = box.value.slice(box.selectionStart);
    const start = box.value.slice(0, box.selectionStart - one.instead);
    box.value = start + one.writes + rest;
    box.selectionStart = box.selectionEnd = start.length + one.writes.length;
    grow();
    show();
  };
  const send = async () => {
    const text = box.value.trim();
    if (!text) return;
    if (thread() && text.startsWith("/")) {
      toast(`${text.split(" ")[0]} is not supported in threads. Mention @stopstream instead.`);
      return;
    }
    const command = text.startsWith("/") && text.split(" ")[0];
    if (command && !world.get("setup").commands.some((one) => one.command === command)) {
      toast(`${command} is not a valid command of this workspace.`);
      return;
    }
    typed.push(text);
    back = 0;
    box.value = "";
    grow();
    show();
    scroll();
    const answer = await call("type", { channel: where(), text, thread_ts: thread() });
    if (!answer.ok && !box.value) box.value = text;
  };

  box.addEventListener("input", () => {
    grow();
    show();
  });
  box.addEventListener("blur", () => {
    choices.found = [];
    drawChoices();
  });
  box.addEventListener("keydown", (event) => {
    const open = choices.found.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const by = event.key === "ArrowDown" ? 1 : -1;
      choices.at = (choices.at + by + choices.found.length) % choices.found.length;
      drawChoices();
    } else if (open && (event.key === "Tab" || (event.key === "Enter" && choices.found[choices.at].instead < 99 && !whole(box.value, choices)))) {
      event.preventDefault();
      take();
    } else if (open && event.key === "Escape") {
      event.stopPropagation();
      choices.found = [];
      drawChoices();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && (!box.value || box.value === typed.at(-back)) && back < typed.length) {
      event.preventDefault();
      back += 1;
      box.value = typed.at(-back);
      grow();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  hint(form, where(), thread());
}

/** Whether what is written is already what the choice would write. */
const whole = (text, { found, at }) => found[at].hint || text.endsWith(found[at].writes.trim());

function hint(form, place, thread) {
  const where = channel(place);
  const box = form.querySelector("textarea");
  box.placeholder = thread ? "Reply: @stopstream stop live stream1" : `Message ${where ? titleOf(where) : ""}, or /stopstream live stream1`;
}

/** Return the completions of a text: commands of the manifest, their usage, names. */
function completions(text, inThread) {
  const setup = world.get("setup") ?? { commands: [] };
  const command = /^(\/\S*)$/.exec(text);
  if (command && !inThread) {
    return setup.commands
      .filter((one) => one.command.startsWith(command[1]))
      .map((one) => ({
        shows: one.command,
        about: one.description,
        writes: `${one.command} `,
        instead: command[1].length,
      }));
  }
  const usage = /^(\/\S+) (.*)$/s.exec(text);
  if (usage && !inThread) {
    const found = setup.commands.find((one) => one.command === usage[1]);
    return (found?.usage_hint ?? "")
      .split("|")
      .map((one) => one.trim())
      .filter((one) => one.startsWith(usage[2]) && one !== usage[2].trim())
      .map((one) => ({
        shows: `${usage[1]} ${one}`,
        about: "",
        // What is in capitals is for the person to fill in.
        writes: one.replace(/[A-Z][A-Z-]+.*$/, ""),
        instead: usage[2].length,
        hint: true,
      }));
  }
  const name = /(?:^|\s)([@#])(\w*)$/.exec(text);
  if (!name) return [];
  const [, sign, start] = name;
  const known = sign === "@" ? people() : channels().filter((one) => one.name);
  return known
    .filter((one) => one.name.startsWith(start) && one.name !== start)
    .map((one) => ({
      shows: `${sign}${one.name}`,
      about: one.what?.join(", ") ?? "",
      writes: `${sign}${one.name} `,
      instead: start.length + 1,
    }));
}
