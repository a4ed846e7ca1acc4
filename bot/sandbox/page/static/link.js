// The line to the server: calls out, news in. What the server said last stands in `world`.

import { $, h, toast } from "./dom.js";

export const world = new Map();
export const me = { id: new URLSearchParams(location.search).get("as") || "U0ALICE" };

const watchers = [];
let socket = null;

/** Be told of every change under a prefix: set as [key, value] pairs, gone as keys. */
export function watch(prefix, work) {
  watchers.push([prefix, work]);
}

function apply(news) {
  if (news.as !== me.id) return;
  if (news.first) world.clear();
  const set = Object.entries(news.set);
  for (const [key, value] of set) world.set(key, value);
  for (const key of news.gone) world.delete(key);
  for (const [prefix, work] of watchers) {
    const mine = set.filter(([key]) => key.startsWith(prefix));
    const gone = news.gone.filter((key) => key.startsWith(prefix));
    if (mine.length || gone.length || news.first) work({ first: news.first, set: mine, gone });
  }
}

/** Keep a line open for as long as the page is. */
export function connect() {
  socket = new WebSocket(`ws://${location.host}/live?as=${encodeURIComponent(me.id)}`);
  socket.addEventListener("open", () => $("lost")?.remove());
  socket.addEventListener("message", (event) => apply(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    if (!$("lost")) {
      document.body.append(
        h("div", { id: "lost", role: "alert" }, "The demo does not answer. Is it still running?"),
      );
    }
    setTimeout(connect, 1000);
  });
}

/** Sit down as someone else. */
export function become(user) {
  me.id = user;
  const address = new URL(location);
  address.searchParams.set("as", user);
  history.replaceState(null, "", address);
  if (socket.readyState === WebSocket.OPEN) socket.send(user);
}

/** Do something as this person; trouble is shown, and is in the answer. */
export async function call(name, body = {}) {
  let answer;
  try {
    const response = await fetch(`/api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as: me.id, ...body }),
    });
    answer = await response.json();
  } catch {
    answer = { ok: false, trouble: "The demo does not answer." };
  }
  if (answer.trouble) toast(answer.trouble);
  return answer;
}

export const people = () => world.get("people") ?? [];
export const channels = () => world.get("channels") ?? [];
export const person = (id) => people().find((one) => one.id === id);
export const channel = (id) => channels().find((one) => one.id === id);
export const isDirect = (place) => place.id.startsWith("D");
export const titleOf = (place) => (isDirect(place) ? "stopstream" : place.name);
