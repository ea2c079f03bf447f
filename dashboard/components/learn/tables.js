// The numbers of Learn's views, as they are saved.

/** @typedef {import("./learn.js").Learn} Learn */

/**
 * A row a picture: its probabilities in the data and under the model, and its free energy.
 * @param {Learn} view
 */
export function probabilityTable(view) {
  const { a, h, at } = view;
  const share = new Map(Array.from(a.patterns, (v, k) => [v, a.p_data[k]]));
  const rows = Array.from(view.rbm().freeEnergies(), (F, v) => {
    const name = v.toString(2).padStart(h.n_visible, "0");
    return [name, share.get(v) ?? 0, Math.exp(-F - a.log_z[at]), F];
  });
  return { columns: ["picture", "p_data", "p_machine", "free_energy_nats"], rows };
}

/**
 * A row a parameter.
 * @param {Learn} view
 * @param {Record<string, ArrayLike<number>>} parts arrays of the parameters' shape
 */
export function parameterTable({ h }, parts) {
  const { n_visible: V, n_hidden: H } = h;
  const count = (/** @type {number} */ n, /** @type {(k: number) => string} */ name) =>
    Array.from({ length: n }, (_, k) => name(k));
  const names = [
    ...count(V * H, (k) => `w_${Math.floor(k / H) + 1}_${(k % H) + 1}`),
    ...count(V, (i) => `b_${i + 1}`),
    ...count(H, (j) => `c_${j + 1}`),
  ];
  const rows = names.map((name, k) => [name, ...Object.values(parts).map((part) => part[k])]);
  return { columns: ["parameter", ...Object.keys(parts)], rows };
}
