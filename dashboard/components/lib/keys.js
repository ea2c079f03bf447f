// The keyboard drives the player from anywhere on the page where it has nothing else to do.

/** @typedef {"first" | "last" | "back" | "forward" | "sweepBack" | "sweepForward" | "play" | "fork"} Act */

/**
 * What a key does to the player; null where another control needs it.
 * @param {KeyboardEvent} e
 * @param {HTMLElement} box of the player
 * @returns {Act | null}
 */
export function actOf(e, box) {
  if (e.ctrlKey || e.metaKey || e.altKey) return null;
  const at = /** @type {HTMLElement} */ (e.composedPath()[0]);
  if (isBusy(at, box.contains(at), e.key.startsWith("Arrow"))) return null;
  if (e.key === " " && /^(BUTTON|A|SUMMARY|LABEL)$/.test(at.tagName ?? "")) return null;
  /** @type {Record<string, Act>} */
  const acts = {
    " ": "play",
    ArrowRight: e.shiftKey ? "sweepForward" : "forward",
    ArrowLeft: e.shiftKey ? "sweepBack" : "back",
    Home: "first",
    End: "last",
  };
  return acts[e.key] ?? null;
}

/**
 * Whether the control that has the keyboard uses such keys itself. Arrows walk from button to button of a group.
 * @param {HTMLElement} at
 * @param {boolean} ours it is one of the player's
 * @param {boolean} arrow
 */
function isBusy(at, ours, arrow) {
  const tag = at.tagName ?? "";
  if (tag === "TEXTAREA" || tag === "SELECT" || at.isContentEditable) return true;
  if (ours) return false;
  const radio = at instanceof HTMLInputElement && at.type === "radio";
  if (tag === "INPUT" && !(radio && !arrow)) return true;
  const roles = ["slider", "combobox", "listbox", "tablist", "dialog"].map((role) => `[role="${role}"]`);
  if (arrow) roles.push('[role="radiogroup"]', '[data-testid="stButtonGroup"]');
  return Boolean(at.closest?.(roles.join()));
}
