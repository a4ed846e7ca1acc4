// Boxes of messages that are read at their end.

import { $ } from "./dom.js";

export const atBottom = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 80;

/** Go to the end of a box, and stay there. */
export const down = (box) => {
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
