// Boxes of messages that are read at their end.

import { $ } from "./dom.js";

export const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;

/** Go to the end of a box, and stay there. */
export const down = (box) => {
  box.scrollTop = box.scrollHeight;
  resting.set(box, true);
};

/** Go to the top of a box, and stay there. */
export const up = (box) => {
  box.scrollTop = 0;
  resting.set(box, false);
};

// Who reads at the end stays there when the box, or what is in it, changes its size.
const resting = new Map();
const sizes = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    const box = resting.has(target) ? target : target.parentElement;
    if (resting.get(box)) down(box);
  }
});
for (const list of [$("messages"), $("replies")]) {
  const box = list.parentElement;
  resting.set(box, false);
  sizes.observe(box);
  sizes.observe(list);
  box.addEventListener("scroll", () => resting.set(box, atBottom(box)), { passive: true });
}
