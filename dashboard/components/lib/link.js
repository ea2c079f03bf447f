// The page's address, where a view changes it.

/**
 * The query with these values: what equals its default is left out, the others stand last in their order.
 * @param {string} query such as "?lesson=2&update=10"
 * @param {Record<string, string | number>} values
 * @param {Record<string, string | number>} defaults
 */
export function amended(query, values, defaults) {
  const all = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    all.delete(name);
    if (value !== defaults[name]) all.append(name, String(value));
  }
  const text = all.toString();
  return text && `?${text}`;
}

/**
 * Puts values into the address without a step of the browser's history: for what changes without being asked for, so
 * that Back goes to what the reader asked for before. The page writes the same values after this; Streamlit makes a
 * step of the history only where the address then differs.
 * @param {Record<string, string | number>} values
 * @param {Record<string, string | number>} defaults
 */
export function amendLink(values, defaults) {
  history.replaceState(history.state, "", location.pathname + amended(location.search, values, defaults));
}
