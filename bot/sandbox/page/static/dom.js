// Makes elements. Text only ever becomes a text node, so no foreign text is read as markup.

export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, work] of Object.entries(value)) made.addEventListener(event, work);
    } else if (name === "value" || name === "checked" || name === "disabled") {
      made[name] = value;
    } else {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const $ = (id) => document.getElementById(id);

let numbers = 0;
export const fresh = (prefix) => `${prefix}-${(numbers += 1)}`;

/** Say something for a few seconds. */
export function toast(text) {
  const shown = h("div", { class: "toast" }, text);
  $("toasts").append(shown);
  setTimeout(() => shown.remove(), 6000);
}

/** Let a screen reader say something. */
export function announce(text) {
  const line = h("p", {}, text);
  $("said").append(line);
  setTimeout(() => line.remove(), 10000);
}

/** Wait until nothing came for a while, then work once. */
export function calmly(work, wait = 250) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

/** Show a dialog until it is closed; it leaves the page then. */
export function dialog(made) {
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

/** Ask for a yes; words as in Slack's confirmation object. */
export function confirmed(words) {
  return new Promise((answer) => {
    const title = fresh("confirm");
    let yes = false;
    const made = h(
      "dialog",
      { class: "confirm", "aria-labelledby": title, role: "alertdialog" },
      h("h2", { id: title }, words.title),
      h("p", {}, words.text),
      h(
        "footer",
        {},
        h("button", { type: "button", class: "btn", on: { click: () => made.close() } }, words.deny),
        h(
          "button",
          {
            type: "button",
            class: `btn ${words.style === "danger" ? "danger" : "primary"}`,
            on: {
              click: () => {
                yes = true;
                made.close();
              },
            },
          },
          words.confirm,
        ),
      ),
    );
    made.addEventListener("close", () => answer(yes));
    dialog(made);
  });
}

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
