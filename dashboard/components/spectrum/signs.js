// A mode's sign is free: from moment to moment it stays as it was seen.

/**
 * Turns each of two modes, and the points' coordinates on it, so that the mode is more like itself before than its
 * opposite.
 * @param {Float32Array} before the images (2, V) of the same modes at the moment seen before
 * @param {{ images: Float32Array, data: Float32Array, fantasies: Float32Array }} now images (2, V); clouds (N, 2)
 */
export function keepSigns(before, { images, data, fantasies }) {
  const n = images.length / 2;
  for (const mode of [0, 1]) {
    let alike = 0;
    for (let i = mode * n; i < (mode + 1) * n; i++) alike += before[i] * images[i];
    if (!(alike < 0)) continue;
    for (let i = mode * n; i < (mode + 1) * n; i++) images[i] = -images[i];
    for (const points of [data, fantasies])
      for (let i = mode; i < points.length; i += 2) points[i] = -points[i];
  }
}
