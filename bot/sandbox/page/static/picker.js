// A menu whose options the app is asked for, as it is opened and typed into.

import { calmly, fresh, h } from "./dom.js";

/** Draw one; `suggest` asks for options, `picks` takes the option, or null for none. */
export function picker(one, first, { id, suggest, picks }) {
  const list = fresh("options");
  const box = h("input", {
    id,
    value: first?.text.text ?? "",
    role: "combobox",
    autocomplete: "off",
    placeholder: one.placeholder?.text,
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": list,
  });
  const menu = h("ul", { id: list, role: "listbox", "aria-label": one.placeholder?.text ?? "Options", hidden: true });
  const least = one.min_query_length ?? 3;
  let shown = [];
  let at = -1;
  let asked = 0;

  const close = () => {
    asked += 1;
    menu.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const take = (option) => {
    box.value = option.text.text;
    picks(option);
    close();
  };
  const draw = () => {
    const drawn = shown.map((option, number) => {
      const made = h("li", { id: `${list}-${number}`, role: "option", "aria-selected": String(number === at) }, option.text.text);
      made.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(option);
      });
      return made;
    });
    menu.replaceChildren(...(drawn.length ? drawn : [h("li", { class: "dim" }, "No results")]));
    menu.hidden = false;
    box.setAttribute("aria-expanded", "true");
    if (at >= 0) box.setAttribute("aria-activedescendant", `${list}-${at}`);
    else box.removeAttribute("aria-activedescendant");
    menu.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const ask = async (typed) => {
    if (typed.length < least) return close();
    asked += 1;
    const mine = asked;
    const answer = await suggest(typed);
    // Only what was asked last is shown, and nothing once the menu was left.
    if (mine !== asked) return;
    shown = answer.options ?? [];
    at = -1;
    draw();
  };
  const later = calmly(() => ask(box.value), 150);

  // Opened with something picked, it shows everything again.
  box.addEventListener("focus", () => ask(""));
  box.addEventListener("click", () => menu.hidden && ask(""));
  box.addEventListener("blur", close);
  box.addEventListener("input", () => {
    picks(null);
    later();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!shown.length || menu.hidden) return;
      const by = event.key === "ArrowDown" ? 1 : -1;
      at = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
      draw();
    } else if (event.key === "Enter" && !menu.hidden && shown.length) {
      event.preventDefault();
      take(shown[Math.max(at, 0)]);
    } else if (event.key === "Escape" && !menu.hidden) {
      // The dialog stays open.
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  return h("div", { class: "picker" }, box, menu);
}
